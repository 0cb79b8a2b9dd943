"""A window of messages in hand, and the fate of each: done, buried, or put back. Knows nothing of Kafka's clients.

decode ─► handle ─┬─ returns ──────────────► done: may be acknowledged
   │              ├─ Invalid ──────────────► dead letter, then done
   └─ Invalid ──► ├─ Transient ────────────► again after a pause; too often: dead letter, then done
                  ├─ Unavailable ──────────► again after a pause, as often as it takes: waiting, nothing is buried
                  └─ anything else ────────► raised; the caller ends the process with nothing acknowledged
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from schemas.envelope import Envelope, decode
from schemas.errors import Invalid, Transient, Unavailable
from schemas.events import Event
from schemas.topics import Topic
from workers.dead_letters import Delivery, RawHeaders, bury

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0
log = logging.getLogger(__name__)


class Outlet(Protocol):
    """What a handler may do to the world of streams."""

    async def send(self, topic: Topic, event: Event) -> None:
        """Send an event; returns once the broker has acknowledged it. Raises `Invalid` if it is too large to send."""


class Sender(Protocol):
    """What the window needs from the streams below it; both ways to send return after the acknowledgement."""

    def outlet(self, traceparent: str) -> Outlet:
        """An outlet whose events carry this trace on."""

    async def send_raw(self, topic_name: str, key: bytes | None, value: bytes | None, headers: RawHeaders) -> None:
        """Send bytes as they are."""


Handler = Callable[[Envelope, Outlet], Awaitable[None]]
"""Raises `Invalid`, `Transient` or `Unavailable`; anything else is a defect and ends the process."""


@dataclass(frozen=True)
class Lane:
    """A topic and what is done with its events."""

    topic: Topic
    handle: Handler


class PutBack(Exception):
    """The worker is stopping and this message was still waiting: it stays unacknowledged and comes again."""


def pause(tries: int, draw: float) -> float:
    """Seconds until the next try: doubling, capped, and spread by `draw` (0..1) so that a crowd thins out."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(tries - 1, 16)) * (0.5 + draw / 2)


class Window:
    """At most `size` messages in hand; `at_work` are those that a handler holds now, the others rest between tries."""

    def __init__(self, *, group: str, size: int, max_attempts: int, try_limit_s: float) -> None:
        self.group = group
        self.size = size
        self.gate = asyncio.Semaphore(size)
        self.max_attempts = max_attempts
        self.try_limit_s = try_limit_s
        self.at_work: dict[int, float] = {}
        """Start of each running try (monotonic seconds) by a number of its own; the watchdog thread reads a copy."""
        self.in_hand = 0
        self.done = 0
        self._tries = 0
        self._closing = asyncio.Event()
        self._calm = asyncio.Event()
        self._calm.set()

    def close(self) -> None:
        """Start no more tries; messages that rest are put back."""
        self._closing.set()

    async def calm(self, timeout_s: float) -> bool:
        """Wait until no handler is at work (resting messages do not count); False if that takes too long."""
        try:
            await asyncio.wait_for(self._calm.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def process(self, lane: Lane, delivery: Delivery, sender: Sender) -> None:
        """See a message through. When it returns, acknowledge; when it raises `PutBack` or a defect, do not."""
        self.in_hand += 1
        try:
            await self._until_settled(lane, delivery, sender)
            self.done += 1
        finally:
            self.in_hand -= 1

    async def _until_settled(self, lane: Lane, delivery: Delivery, sender: Sender) -> None:
        tries = attempts = 0
        while True:
            if self._closing.is_set():
                raise PutBack
            tries += 1
            async with self._working():
                try:
                    await self._try_once(lane, delivery, sender)
                    return
                except Unavailable as error:
                    trouble: Transient = error
                except Transient as error:
                    trouble = error
                    attempts += 1
                    if attempts >= self.max_attempts:
                        await self._bury(lane, delivery, error, sender, attempts)
                        return
                except Invalid as error:
                    await self._bury(lane, delivery, error, sender, attempts + 1)
                    return
            seconds = pause(tries, random.random())
            where = f"{delivery.topic}[{delivery.partition}]@{delivery.offset}"
            level = logging.WARNING if tries in (1, 10) or tries % 100 == 0 else logging.DEBUG
            log.log(level, "%s: try %d failed, next in %.1f s: %s", where, tries, seconds, trouble)
            await self._rest(seconds)

    async def _try_once(self, lane: Lane, delivery: Delivery, sender: Sender) -> None:
        envelope = decode(delivery.value, delivery.headers)
        if not isinstance(envelope.event, lane.topic.event):
            raise Invalid(f"a {envelope.event.type_name} does not belong on {delivery.topic}")
        limit = asyncio.timeout(self.try_limit_s)
        try:
            async with limit:
                await lane.handle(envelope, sender.outlet(envelope.traceparent))
        except TimeoutError as error:
            if not limit.expired():
                raise  # somebody else's clock: the handler should have said what it means
            raise Transient(f"not done within {self.try_limit_s:g} s") from error

    async def _bury(self, lane: Lane, delivery: Delivery, error: Exception, sender: Sender, attempts: int) -> None:
        log.warning(
            "%s[%d]@%d is a dead letter after %d tries: %s",
            *(delivery.topic, delivery.partition, delivery.offset, attempts, error),
        )
        headers = bury(delivery, error, group=self.group, attempts=attempts)
        await sender.send_raw(lane.topic.dead_letters, delivery.key, delivery.value, headers)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        self._tries += 1
        number = self._tries
        self.at_work[number] = time.monotonic()
        self._calm.clear()
        try:
            yield
        finally:
            del self.at_work[number]
            if not self.at_work:
                self._calm.set()
