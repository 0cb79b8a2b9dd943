"""Who a worker process is to its consumer group, the same before and after a restart."""

from __future__ import annotations

import fcntl
import hashlib
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MOST_PROCESSES = 1000


@dataclass(frozen=True)
class Slot:
    """A number among the processes of one worker in one data folder; free again once the file closes, or kill -9."""

    number: int
    file: IO[str]


def claim_slot(home: Path, name: str) -> Slot:
    """The lowest free number. Raises OSError for a data folder that cannot be written."""
    folder = home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(MOST_PROCESSES):
        file = (folder / f"{name}.{number}.lock").open("w")
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Slot(number, file)
        file.close()
    raise OSError(f"{MOST_PROCESSES} workers {name!r} share the data folder {home}: give some a folder of their own")


def instance_id(name: str, home: Path, number: int) -> str:
    """A name for Kafka's static membership: a process that starts again has its partitions back without a rebalance."""
    folder = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]
    return f"{name}-{socket.gethostname()}-{folder}-{number}"
