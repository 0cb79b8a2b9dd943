"""Why a process ended: what was done to it, or to a part that it needs. An end that nothing explains is a finding."""

from __future__ import annotations

import signal
from collections.abc import Iterable

from tests.chaos.faults import BROKER, DATABASE, DISK, Struck
from tests.chaos.processes import Exit
from workers.ending import EX_SOFTWARE
from workers.watchdog import EX_STALLED

JAVA_TERMINATED = 128 + signal.SIGTERM
AFTERMATH_S = 90.0
"""A send waits for the broker for a minute; what it does to a worker shows that much later."""


def explain(end: Exit, struck: Iterable[Struck]) -> str:
    """The reason, in words for the table; empty if there is none."""
    before = {each.fault for each in struck if each.began <= end.at <= each.over + AFTERMATH_S}
    if end.struck is not None and end.status == -end.struck:
        return end.struck.name
    if end.struck is signal.SIGTERM and end.status == (JAVA_TERMINATED if end.name == "broker" else 0):
        return "SIGTERM, in order"
    if end.name == "broker" and DISK in before:
        return DISK
    if end.name.startswith("archivist") and end.status == 1 and DATABASE in before and "cannot start" in end.last_words:
        return f"{DATABASE}, at its start"
    if end.status in (EX_SOFTWARE, EX_STALLED) and before & {BROKER, DISK}:
        return f"the broker was away ({' or '.join(sorted(before & {BROKER, DISK}))})"
    return ""
