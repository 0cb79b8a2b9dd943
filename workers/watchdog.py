"""Notices that a worker has stalled, from a thread of its own: a stalled event loop cannot notice itself.

Kafka consumers can die silently; a process that only looks alive is worse than one that ends and is started again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.errors import Transient

TICK_S = 5.0
log = logging.getLogger(__name__)
EX_STALLED = 71


@dataclass(frozen=True)
class Vitals:
    """A worker's signs of life at one moment; times in monotonic seconds."""

    now: float
    loop_ran: float
    """When the event loop last did anything."""
    oldest_try: float | None
    in_hand: int
    resting: int
    """Of those in hand, how many wait between two tries."""
    done: int
    committed: int
    """Sum of the committed offsets as the worker knows them."""
    joined: bool
    """Is it a member of its consumer group?"""


@dataclass(frozen=True)
class Limits:
    """How long each kind of silence may last, in seconds."""

    try_s: float
    loop_s: float = 60.0
    outside_group_s: float = 180.0
    uncommitted_s: float = 300.0
    idle_s: float = 120.0


@dataclass
class Watch:
    """Remembers when each sign last changed. `verdict` decides; it asks for the lag only when nothing has moved."""

    limits: Limits
    seen: Vitals
    joined_at: float = field(init=False)
    done_at: float = field(init=False)
    settled_at: float = field(init=False)
    settled_done: int = field(init=False)
    lagged_at: float | None = field(init=False)

    def __post_init__(self) -> None:
        self._begin(self.seen)

    def _begin(self, vitals: Vitals) -> None:
        self.seen = vitals
        self.joined_at = self.done_at = self.settled_at = vitals.now
        self.settled_done = vitals.done
        self.lagged_at = None

    def verdict(self, vitals: Vitals, lag: Callable[[], int]) -> str | None:
        """Why this worker has to end, in words, or None."""
        if vitals.now - self.seen.now > 4 * TICK_S:  # the whole process slept (SIGSTOP, a suspended machine)
            self._begin(vitals)
            return None
        self._note(vitals)
        limits, now = self.limits, vitals.now
        if now - vitals.loop_ran > limits.loop_s:
            return f"the event loop has not run for {now - vitals.loop_ran:.0f} s"
        if vitals.oldest_try is not None and now - vitals.oldest_try > 1.5 * limits.try_s:
            return f"a handler has been at one message for {now - vitals.oldest_try:.0f} s"
        if now - self.joined_at > limits.outside_group_s:
            return f"not in the consumer group for {now - self.joined_at:.0f} s"
        if now - self.settled_at > limits.uncommitted_s:
            return f"messages are done, but no offset has been committed for {now - self.settled_at:.0f} s"
        if not vitals.in_hand and now - self.done_at > limits.idle_s:
            return self._idle(now, lag())
        return None

    def _note(self, vitals: Vitals) -> None:
        if vitals.joined:
            self.joined_at = vitals.now
        if vitals.done != self.seen.done or vitals.in_hand:
            self.done_at = vitals.now
            self.lagged_at = None
        # a message that rests holds the commit floor down, and rightly so
        if vitals.committed != self.seen.committed or vitals.resting or vitals.done == self.settled_done:
            self.settled_at, self.settled_done = vitals.now, vitals.done
        self.seen = vitals

    def _idle(self, now: float, lag: int) -> str | None:
        """Idle with lag, and still so after another while: the consumer is dead and does not know it."""
        if lag == 0:
            self.done_at, self.lagged_at = now, None
        elif self.lagged_at is None:
            self.lagged_at = now
        elif now - self.lagged_at > self.limits.idle_s / 2:
            return f"{lag} messages wait and none has arrived for {now - self.done_at:.0f} s"
        return None


def start(vitals: Callable[[], Vitals], lag: Callable[[], int], limits: Limits) -> None:
    """Watch from a daemon thread; ends the process with exit status 71 when it has stalled."""
    watch = Watch(limits, vitals())

    def look() -> None:
        while True:
            time.sleep(TICK_S)
            try:
                reason = watch.verdict(vitals(), lag)
            except Transient as error:  # the broker is away: silence proves nothing
                log.debug("the lag is not to be had: %s", error)
                continue
            if reason:
                log.critical("stalled: %s; ending, so that a supervisor can start afresh", reason)
                logging.shutdown()
                os._exit(EX_STALLED)

    threading.Thread(target=look, name="watchdog", daemon=True).start()
