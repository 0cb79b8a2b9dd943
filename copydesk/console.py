"""Where commands print."""

from __future__ import annotations

import sys

from rich.console import Console

PIPED_WIDTH = 120


def console() -> Console:
    """Standard output: as wide as the terminal, and wide enough for our tables where there is none."""
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
