"""The data folder: whether it can be used, and what to say when it cannot."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from schemas.errors import Mendable

MIN_FREE_BYTES = 256 * 1024 * 1024
"""Kafka halts when a segment cannot be written; better not to start than to halt in the middle."""


class FolderUnusable(Mendable):
    """The data folder is read-only, full or not a folder; the message names it, the reason and the way out."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"the data folder {folder} cannot be used: {reason}."
            " Make room or make it writable, or name another: COPYDESK_HOME=…"
        )


def make_usable(folder: Path) -> Path:
    """The folder as an absolute path, made if it is missing, writable and with room. Raises `FolderUnusable`."""
    folder = folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"copydesk")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise FolderUnusable(folder, error.strerror or str(error)) from error
    shortage = room_missing(free)
    if shortage:
        raise FolderUnusable(folder, shortage)
    return folder


def room_missing(free_bytes: int) -> str:
    """Why so little room is not enough, in words; empty if it is enough."""
    if free_bytes >= MIN_FREE_BYTES:
        return ""
    return f"only {free_bytes // 1024**2} MB are free there, {MIN_FREE_BYTES // 1024**2} are needed"


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that nobody ever sees half of it. Raises OSError."""
    beside = path.with_name(path.name + ".new")
    beside.touch(mode)
    beside.write_text(text)
    beside.replace(path)
