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
NOT_SENT = re.compile(r"^workers\.\w+\.NotAcknowledged: ", re.MULTILINE)
"""The last line of the one traceback that a worker ends with because of its broker."""
STALLED = re.compile(
    r"stalled: (not in the consumer group|messages are done, but no offset has been committed) for (\d+) s"
)
"""The stalls that a broker can be to blame for; to all others it makes no difference, or they forgive it."""
SLACK_S = 15.0
"""A worker notices its broker's end, and we a worker's, a little later."""
AFTERMATH_S = 300.0
"""A busy machine takes minutes until its broker is back, and a send waits another minute for it."""


def explain(end: Exit, struck: Iterable[Struck]) -> str:
    """The reason, in words for the table; empty if there is none."""
    struck = list(struck)
    before = {each.fault for each in struck if each.began <= end.at <= each.over + AFTERMATH_S}
    if end.struck is not None and end.status == -end.struck:
        return end.struck.name
    if end.struck is signal.SIGTERM and end.status == (JAVA_TERMINATED if end.name == "broker" else 0):
        return "SIGTERM, in order"
    if end.name == "broker" and end.status in (1, EX_CANTCREAT) and DISK in before:
        return DISK
    if end.name.startswith("archivist") and end.status == 1 and DATABASE in before and "cannot start" in end.last_words:
        return f"{DATABASE}, at its start"
    if end.status == EX_SOFTWARE and before & {BROKER, DISK} and NOT_SENT.search(end.last_words):
        return "the broker was away: not acknowledged"
    if end.status == EX_STALLED and (stall := STALLED.search(end.last_words)):
        return _stall(stall[1], end.at - float(stall[2]), struck)
    return ""


def _stall(what: str, since: float, struck: Iterable[Struck]) -> str:
    """The silence must have begun while the broker was away: what a worker did of itself is no fault of ours."""
    for each in struck:
        if each.fault in (BROKER, DISK) and each.began - SLACK_S <= since <= each.over + SLACK_S:
            return f"the broker was away: {what}"
    return ""
