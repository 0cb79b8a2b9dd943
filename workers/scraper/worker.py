"""The scraper: feeds and pages in, `articles` out.

Feeds are polled into a queue of items in the database; pages are read from that queue; articles are sent, and only an
acknowledged one takes its item off the queue. Killed at any point, it goes on there.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from kafka import KafkaProducer

from infra.database import make_engine, migrate
from infra.kafka import make_producer, send_acked
from infra.observability import health, metrics
from infra.settings import Settings
from schemas.envelope import Message
from schemas.errors import Invalid, Transient
from schemas.topics import Topic
from workers.scraper.fetch import Fetcher
from workers.scraper.ledger import Ledger, Pending
from workers.scraper.outbox import Outbox, Send, drain
from workers.scraper.politeness import FIRST_RETRY_S, backoff_s
from workers.scraper.poller import Poller
from workers.scraper.reader import DeadLink, Draft, Reader, Refused

log = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_S = 0.5
READERS = 32
BATCH = 50
LONGEST_WAIT_S = 10.0
SILENCE_S = 120.0
"""A scraper whose event loop has not run for so long does not live any more."""
TRIES_IN_TROUBLE = 15
"""Tries of a page whose server is down: with doubling waits this is more than a day."""


class Acknowledged:
    """Sends to Kafka and waits for the acknowledgements; connects with the first message."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: KafkaProducer | None = None

    def __call__(self, pairs: Sequence[tuple[Topic, Message]]) -> None:
        if not pairs:
            return
        self._producer = self._producer or make_producer(self._settings, "copydesk.scraper")
        send_acked(self._producer, pairs)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=5)


class Scraper:
    """The loops and what they share. `send` returns once everything is acknowledged."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        fetcher: Fetcher,
        send: Send,
        *,
        clock: Callable[[], datetime],
        condition: health.Condition,
    ) -> None:
        self._settings = settings
        self._condition = condition
        self._ledger = ledger
        self._clock = clock
        self._news = asyncio.Event()
        self._busy: set[tuple[str, str]] = set()
        self._pages: asyncio.Queue[Pending] = asyncio.Queue(maxsize=READERS)
        self._drafts: asyncio.Queue[Draft] = asyncio.Queue(maxsize=2 * BATCH)
        self._reader = Reader(settings, fetcher, clock=clock)
        self._outbox = Outbox(ledger, send, clock=clock)
        self._poller = Poller(settings, ledger, fetcher, clock=clock, draw=random.random, on_news=self._news.set)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; what is on the way then stays queued for the next start. A defect in any loop ends all."""
        steps = [self._take, self._dispatch, *[self._read] * READERS]
        self._condition.started()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_forever(step)) for step in steps]
            tasks.append(group.create_task(self._poll()))
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def _poll(self) -> None:
        """Each feed in a task of its own: one that hangs delays nobody else."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._condition.beat()
                for feed in await self._insist("feeds", self._poller.due):
                    group.create_task(self._insist(feed.url, functools.partial(self._poller.poll, feed)))
                await asyncio.sleep(LOOK_S)

    async def _take(self) -> None:
        """Take items off the table that nobody is reading yet."""
        self._news.clear()
        busy = frozenset(self._busy)  # as it is before the look: an item that is settled meanwhile must not look free
        found = await self._insist(
            "items", lambda: asyncio.to_thread(self._ledger.waiting, self._clock(), READERS + len(busy))
        )
        fresh = [item for item in found if item.key not in busy]
        for item in fresh:
            self._busy.add(item.key)
            await self._pages.put(item)
        if not fresh:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()

    async def _read(self) -> None:
        item = await self._pages.get()
        try:
            with metrics.PAGE_SECONDS.time():
                draft = await self._reader.read(item)
            metrics.PAGES.labels("article").inc()
            await self._drafts.put(draft)
        except (Invalid, Transient) as error:
            reason, again_s = str(error), self._again_s(item, error)
            await self._insist(item.url, lambda: asyncio.to_thread(self._no_article, item, reason, again_s))
            metrics.PAGES.labels("given_up" if again_s is None else "again").inc()
            self._busy.discard(item.key)

    def _again_s(self, item: Pending, error: Invalid | Transient) -> float | None:
        """Seconds until the item's next try; None: no more tries."""
        first_s = min(FIRST_RETRY_S, self._settings.min_poll_s)
        tries = self._settings.max_attempts if isinstance(error, DeadLink) else TRIES_IN_TROUBLE
        if isinstance(error, Invalid) or item.attempts + 1 >= tries:
            return None
        asked_s = error.after_s if isinstance(error, Refused) else 0.0
        return max(asked_s, backoff_s(item.attempts + 1, first_s=first_s, draw=random.random()))

    def _no_article(self, item: Pending, reason: str, again_s: float | None) -> None:
        now = self._clock()
        if again_s is None:
            log.warning("given up %s: %s", item.url, reason)
            self._ledger.give_up(item, reason, now)
        else:
            self._ledger.retry(item, reason, now + timedelta(seconds=again_s))

    async def _dispatch(self) -> None:
        drafts = await drain(self._drafts, BATCH)
        sent = await self._insist("articles", lambda: asyncio.to_thread(self._outbox.dispatch, drafts))
        self._busy.difference_update(draft.item.key for draft in drafts)
        if sent:
            log.info("%d articles sent", sent)

    async def _insist(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat until it succeeds, with growing waits while something of ours (broker, database) is away."""
        failures = 0
        while True:
            try:
                result = await attempt()
            except Transient as error:
                failures += 1
                log.warning("waiting: %s", error)
                self._condition.trouble(what, error)
                await asyncio.sleep(min(LONGEST_WAIT_S, backoff_s(failures, first_s=0.5, draw=random.random())))
            else:
                self._condition.settled(what)
                return result


async def _forever(step: Callable[[], Awaitable[None]]) -> None:
    while True:
        await step()


async def scrape(settings: Settings, stop: asyncio.Event, send: Send) -> None:
    """Run the scraper of these settings until `stop`; on return nothing of it runs any more."""
    condition = health.Condition(silence_s=SILENCE_S, starting="the scraper starts")
    answering = health.serve(
        settings.metrics_port, live=condition.live, ready=condition.ready, host=settings.metrics_host
    )
    engine = make_engine(settings)
    await asyncio.to_thread(migrate, engine)
    try:
        async with Fetcher(settings) as fetcher:
            scraper = Scraper(
                settings, Ledger(engine), fetcher, send, clock=lambda: datetime.now(UTC), condition=condition
            )
            await scraper.run(stop)
        await asyncio.get_running_loop().shutdown_default_executor()  # a batch on its way is sent and marked to the end
    finally:
        engine.dispose()
        if answering is not None:
            answering.close()


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    send = Acknowledged(settings)
    try:
        await scrape(settings, stop, send)
    finally:
        send.close()


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("kafka").setLevel(logging.WARNING)
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it shouts about every page without an article
    asyncio.run(_run(settings))
