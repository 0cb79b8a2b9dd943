"""A window of messages in hand, and the fate of each: done, buried, or put back. Knows nothing of Kafka's clients.

decode ─► handle ─┬─ returns ──────────────► done: may be acknowledged
   │              ├─ Invalid ──────────────► dead letter, then done
   └─ Invalid ──► ├─ Transient ────────────► again after a pause; too often: dead letter, then done
                  ├─ Unavailable ──────────► the whole window pauses until it is back; nothing is buried (`outage`)
                  └─ anything else ────────► raised; the caller ends the process with nothing acknowledged

Before that a message waits for the one before it with the same key, if its topic asks for that (`order`); before a
dead letter is sent, it is asked whether there are too many (`dead_letter_limit`).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from infra.observability import logs, metrics, tracing
from schemas.envelope import Envelope, decode
from schemas.errors import Invalid, Transient, Unavailable
from schemas.events import Event
from schemas.topics import Topic
from workers.dead_letter_limit import DeadLetterLimit
from workers.dead_letters import Delivery, RawHeaders, bury, cut_to_fit
from workers.order import Order, PutBack
from workers.outage import Outage, TookTooLong, pause

__all__ = ["Handler", "Lane", "Outlet", "PutBack", "Sender", "Window"]

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
    counts: _Counts = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", _Counts(self.topic.name))


class _Counts:
    """The metrics of a topic that every message touches: looking them up by label each time is no longer free."""

    def __init__(self, topic_name: str) -> None:
        self.received = metrics.EVENTS_RECEIVED.labels(topic_name)
        self.handled = metrics.EVENTS_HANDLED.labels(topic_name)
        self.seconds = metrics.HANDLER_SECONDS.labels(topic_name)


class Window:
    """At most `size` messages in hand; `at_work` are those that a handler holds now, the others wait for something."""

    def __init__(
        self, *, group: str, size: int, max_attempts: int, try_limit_s: float, limit: DeadLetterLimit | None = None
    ) -> None:
        self.group = group
        self.size = size
        self.gate = asyncio.Semaphore(size)
        self.max_attempts = max_attempts
        self.try_limit_s = try_limit_s
        self.held: dict[int, float] = {}
        """Since when each message is in hand (monotonic seconds), the oldest first; other threads read copies."""
        self.at_work: dict[int, float] = {}
        """Start of each running try, the oldest first; other threads read copies."""
        self.done = 0
        self._numbers = itertools.count()
        self._closing = asyncio.Event()
        self._calm = asyncio.Event()
        self._calm.set()
        self._order = Order()
        self.outage = Outage(self._closing)
        self._limit = limit or DeadLetterLimit(share=1.0, least=1)

    @property
    def in_hand(self) -> int:
        return len(self.held)

    def close(self) -> None:
        """Start no more tries; messages that wait are put back."""
        self._closing.set()

    async def calm(self, timeout_s: float) -> bool:
        """Wait until no handler is at work (messages that wait do not count); False if that takes too long."""
        try:
            await asyncio.wait_for(self._calm.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def process(self, lane: Lane, delivery: Delivery, sender: Sender) -> None:
        """See a message through. When it returns, acknowledge; when it raises `PutBack` or a defect, do not."""
        number = next(self._numbers)
        self.held[number] = time.monotonic()
        lane.counts.received.inc()
        try:
            if lane.topic.ordered and delivery.key is not None:
                async with self._order.turn(delivery.topic, delivery.key):
                    await self._until_settled(lane, delivery, sender)
            else:
                await self._until_settled(lane, delivery, sender)
            self.done += 1
        finally:
            del self.held[number]

    async def _until_settled(self, lane: Lane, delivery: Delivery, sender: Sender) -> None:
        try:
            envelope = _open(lane, delivery)
        except Invalid as error:
            with _Working(self):
                await self._bury(lane, delivery, error, sender, attempts=1)
            return
        with logs.handling(
            topic=delivery.topic, partition=delivery.partition, offset=delivery.offset, event_id=envelope.event_id
        ):
            await self._until_handled(lane, delivery, envelope, sender)

    async def _until_handled(self, lane: Lane, delivery: Delivery, envelope: Envelope, sender: Sender) -> None:
        attempts = waits = 0

        async def attempt() -> None:
            with _Working(self):
                await self._try_once(lane, delivery, envelope, sender, attempts + 1)

        while True:
            try:
                await self.outage.passage(attempt)
                lane.counts.handled.inc()
                self._limit.note(delivery.topic, dead=False)
                return
            except Unavailable:
                metrics.EVENTS_RETRIED.labels(delivery.topic, "unavailable").inc()
                waits += 1
                if waits > 1:  # maybe it is alone in its trouble: then it must not stop the others again and again
                    await self._rest(pause(waits - 1, random.random()))
            except (Invalid, Transient) as error:
                attempts += 1
                if isinstance(error, Invalid) or attempts >= self.max_attempts:
                    with _Working(self):
                        await self._bury(lane, delivery, error, sender, attempts)
                    return
                metrics.EVENTS_RETRIED.labels(delivery.topic, "transient").inc()
                seconds = pause(attempts, random.random())
                log.warning("try %d of %s failed, next in %.1f s: %s", attempts, _place(delivery), seconds, error)
                await self._rest(seconds)

    async def _try_once(self, lane: Lane, delivery: Delivery, envelope: Envelope, sender: Sender, attempt: int) -> None:
        limit = asyncio.timeout(self.try_limit_s)
        span = tracing.span(
            f"{self.group.removeprefix('copydesk.')} {delivery.topic}",
            envelope.traceparent,
            topic=delivery.topic,
            partition=delivery.partition,
            offset=delivery.offset,
            event_id=envelope.event_id,
            key=envelope.event.key,
            attempt=attempt,
        )
        began = time.perf_counter()
        with span as traceparent:
            try:
                async with limit:
                    await lane.handle(envelope, sender.outlet(traceparent))
            except TimeoutError as error:
                if not limit.expired():
                    raise  # somebody else's clock: the handler should have said what it means
                raise TookTooLong(f"not done within {self.try_limit_s:g} s") from error
            finally:
                lane.counts.seconds.observe(time.perf_counter() - began)

    async def _bury(self, lane: Lane, delivery: Delivery, error: Exception, sender: Sender, attempts: int) -> None:
        self._limit.check(delivery.topic, error)
        log.warning("%s is a dead letter after %d tries: %s", _place(delivery), attempts, error)
        letter = cut_to_fit(delivery)
        headers = bury(letter, error, group=self.group, attempts=attempts)
        await sender.send_raw(lane.topic.dead_letters, letter.key, letter.value, headers)
        reason = "invalid" if isinstance(error, Invalid) else "transient"
        metrics.DEAD_LETTERS.labels(delivery.topic, reason).inc()
        self._limit.note(delivery.topic, dead=True)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)


class _Working:
    """While a message is at work, stops and rebalances wait for it. Raises `PutBack` once the worker stops."""

    def __init__(self, window: Window) -> None:
        self._window = window

    def __enter__(self) -> None:
        window = self._window
        if window._closing.is_set():
            raise PutBack
        self._number = next(window._numbers)
        window.at_work[self._number] = time.monotonic()
        window._calm.clear()

    def __exit__(self, *_: object) -> None:
        window = self._window
        del window.at_work[self._number]
        if not window.at_work:
            window._calm.set()


def _open(lane: Lane, delivery: Delivery) -> Envelope:
    envelope = decode(delivery.value, delivery.headers)
    if not isinstance(envelope.event, lane.topic.event):
        raise Invalid(f"a {envelope.event.type_name} does not belong on {delivery.topic}")
    return envelope


def _place(delivery: Delivery) -> str:
    return f"{delivery.topic}[{delivery.partition}]@{delivery.offset}"
