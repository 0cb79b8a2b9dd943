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

TICK_S = 5.0
LOOP_SILENT_S = 60.0
log = logging.getLogger(__name__)
EX_STALLED = 71


@dataclass(frozen=True)
class Vitals:
    """A worker's signs of life at one moment; times in monotonic seconds."""

    now: float
    loop_ran: float
    """When the event loop last did anything."""
    oldest_try: float | None
    oldest_in_hand: float | None
    """Since when the oldest message is in hand, whether somebody works on it or it waits; it holds the commit floor."""
    done: int
    committed: int
    """Sum of the committed offsets as the worker knows them."""
    joined: bool
    """Is it a member of its consumer group?"""
    assigned: frozenset[tuple[str, int]]
    """The partitions it has been given, by topic and number; none for a member too many, which is no fault."""


@dataclass(frozen=True)
class Limits:
    """How long each kind of silence may last, in seconds."""

    try_s: float
    loop_s: float = LOOP_SILENT_S
    outside_group_s: float = 180.0
    without_partition_s: float = 180.0
    uncommitted_s: float = 300.0
    idle_s: float = 120.0


@dataclass
class Watch:
    """Remembers when each sign last changed, and decides."""

    limits: Limits
    seen: Vitals
    joined_at: float = field(init=False)
    assigned_at: float = field(init=False)
    done_at: float = field(init=False)
    settled_at: float = field(init=False)
    settled_done: int = field(init=False)
    lagged_at: float | None = field(init=False)

    def __post_init__(self) -> None:
        self._begin(self.seen)

    def _begin(self, vitals: Vitals) -> None:
        self.seen = vitals
        self.joined_at = self.assigned_at = self.done_at = self.settled_at = vitals.now
        self.settled_done = vitals.done
        self.lagged_at = None

    def verdict(self, vitals: Vitals, lag: int | None, partition_is_free: Callable[[], bool]) -> str | None:
        """Why this worker has to end, in words, or None.

        `lag` is that of its own partitions, None if nobody knows. `partition_is_free` tells whether the group has
        partitions for more members than it has; it is only asked when this one has had none for long.
        """
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
        if now - self.assigned_at > limits.without_partition_s:
            if partition_is_free():
                return f"no partition for {now - self.assigned_at:.0f} s, though there are more of them than members"
            self.assigned_at = now
        if vitals.oldest_in_hand is None and now - self.done_at > limits.idle_s:
            return self._idle(now, lag)
        return None

    def _note(self, vitals: Vitals) -> None:
        if vitals.joined:
            self.joined_at = vitals.now
        if vitals.assigned or not vitals.joined:
            self.assigned_at = vitals.now
        if vitals.done != self.seen.done or vitals.oldest_in_hand is not None:
            self.done_at = vitals.now
            self.lagged_at = None
        # a message that has been in hand for long holds the commit floor down, and rightly so
        held_s = vitals.now - (vitals.now if vitals.oldest_in_hand is None else vitals.oldest_in_hand)
        if (
            vitals.committed != self.seen.committed
            or held_s > self.limits.uncommitted_s / 2
            or vitals.done == self.settled_done
        ):
            self.settled_at, self.settled_done = vitals.now, vitals.done
        self.seen = vitals

    def _idle(self, now: float, lag: int | None) -> str | None:
        """Idle with lag, and still so after another while: the consumer is dead and does not know it."""
        if lag is None:
            return None  # the broker is away: silence proves nothing
        if lag == 0:
            self.done_at, self.lagged_at = now, None
        elif self.lagged_at is None:
            self.lagged_at = now
        elif now - self.lagged_at > self.limits.idle_s / 2:
            return f"{lag} messages wait and none has arrived for {now - self.done_at:.0f} s"
        return None


def start(
    vitals: Callable[[], Vitals],
    lag: Callable[[frozenset[tuple[str, int]]], int | None],
    partition_is_free: Callable[[], bool],
    limits: Limits,
) -> None:
    """Watch from a daemon thread; ends the process with exit status 71 when it has stalled."""
    watch = Watch(limits, vitals())

    def look() -> None:
        while True:
            time.sleep(TICK_S)
            seen = vitals()
            if reason := watch.verdict(seen, lag(seen.assigned), partition_is_free):
                log.critical("stalled: %s; ending, so that a supervisor can start afresh", reason)
                logging.shutdown()
                os._exit(EX_STALLED)

    threading.Thread(target=look, name="watchdog", daemon=True).start()
