"""Why a process ended: what was done to it, or to a part that it needs. An end that nothing explains is a finding."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable

from infra.broker import EX_CANTCREAT
from tests.chaos.faults import BROKER, DATABASE, DISK, Struck
from tests.chaos.processes import Exit
from workers.ending import EX_SOFTWARE
from workers.watchdog import EX_STALLED

JAVA_TERMINATED = 128 + signal.SIGTERM
LAST_LINE = re.compile(r"^(?:workers\.stream\.(NotAcknowledged)|(?:aiokafka|kafka)\.errors\.(\w+)): ", re.MULTILINE)
"""Of a traceback: a worker that ends because of Kafka says so."""
AFTERMATH_S = 300.0
"""A busy machine takes minutes until its broker is back, and a send waits another minute for it."""


def explain(end: Exit, struck: Iterable[Struck]) -> str:
    """The reason, in words for the table; empty if there is none."""
    before = {each.fault for each in struck if each.began <= end.at <= each.over + AFTERMATH_S}
    if end.struck is not None and end.status == -end.struck:
        return end.struck.name
    if end.struck is signal.SIGTERM and end.status == (JAVA_TERMINATED if end.name == "broker" else 0):
        return "SIGTERM, in order"
    if end.name == "broker" and end.status in (1, EX_CANTCREAT) and DISK in before:
        return DISK
    if end.name.startswith("archivist") and end.status == 1 and DATABASE in before and "cannot start" in end.last_words:
        return f"{DATABASE}, at its start"
    if before & {BROKER, DISK}:
        if end.status == EX_SOFTWARE and (trouble := LAST_LINE.search(end.last_words)):
            return f"the broker was away: {trouble[1] or trouble[2]}"
        if end.status == EX_STALLED:
            return "the broker was away: stalled"
    return ""
