"""How much memory the whole stack takes: the proportional set size of every process, libraries shared once."""

from __future__ import annotations

import os
import time

import psutil

EVERY_S = 3.0


class MemoryMeter:
    """Samples this process and its descendants; `peak_mb` is the highest sum seen."""

    def __init__(self) -> None:
        self.peak_mb = 0
        self._last = -EVERY_S

    def measure(self) -> None:
        """Take a sample if the last one is old enough; costs about 10 ms a process."""
        now = time.monotonic()
        if now - self._last < EVERY_S:
            return
        self._last = now
        me = psutil.Process(os.getpid())
        total = sum(_bytes(process) for process in (me, *me.children(recursive=True)))
        self.peak_mb = max(self.peak_mb, round(total / 1024 / 1024))


def _bytes(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
    return int(getattr(memory, "pss", 0) or memory.uss)
