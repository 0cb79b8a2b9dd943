"""Where commands print."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

PIPED_WIDTH = 120
DIM, GOOD, BAD, STRONG = "dim", "green", "yellow", "bold"


def plain(words: str, *, keep: str = "") -> Text:
    """Words from outside, as words: they can neither move the cursor nor change colours."""
    return Text("".join(sign if sign.isprintable() or sign in keep else " " for sign in words))


def console() -> Console:
    """Standard output: as wide as the terminal, and wide enough for our tables where there is none."""
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
