"""Asks the feeds that are due, each on its own: a bad one delays nobody but itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from infra.observability import metrics
from infra.settings import Settings
from schemas.errors import Invalid, Transient
from workers.scraper.feed import parse_feed
from workers.scraper.fetch import Fetched, Fetcher
from workers.scraper.ledger import Ledger, Poll, Subscription
from workers.scraper.politeness import max_age_s, next_poll, retry_after_s

log = logging.getLogger(__name__)

ACCEPT = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"
AT_ONCE = 16
GONE = 410


class Poller:
    """`on_news` is called when items were queued."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        fetcher: Fetcher,
        *,
        clock: Callable[[], datetime],
        draw: Callable[[], float],
        on_news: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._fetcher = fetcher
        self._clock = clock
        self._draw = draw
        self._on_news = on_news
        self._asking: set[str] = set()
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def due(self) -> list[Subscription]:
        """Feeds to ask now; each is listed once until `poll` is through with it."""
        due = await asyncio.to_thread(self._ledger.due_feeds, self._clock())
        fresh = [feed for feed in due if feed.url not in self._asking]
        self._asking.update(feed.url for feed in fresh)
        return fresh

    async def poll(self, feed: Subscription) -> None:
        """Ask one feed and remember the answer. Raises `Transient` only when the database is away: poll it again."""
        async with self._gate:
            await self._poll(feed)
        self._asking.discard(feed.url)

    async def _poll(self, feed: Subscription) -> None:
        try:
            answer = await self._fetcher.get(feed.url, etag=feed.etag, last_modified=feed.last_modified, accept=ACCEPT)
            poll = await self._understand(feed, answer)
        except (Invalid, Transient) as error:
            return await self._failed(feed, str(error))
        if poll is None:
            asked_s = retry_after_s(answer.header("retry-after"), self._clock())
            return await self._failed(feed, f"HTTP {answer.status}", asked_s=asked_s, gone=answer.status == GONE)
        queued = await asyncio.to_thread(self._ledger.record_poll, feed.url, poll, self._clock())
        metrics.FEED_POLLS.labels("news" if queued else "nothing").inc()
        if answer.moved_to:
            await asyncio.to_thread(self._ledger.move_feed, feed.url, answer.moved_to)
            log.info("%s has moved to %s", feed.url, answer.moved_to)
        if queued:
            log.info("%s: %d new or changed items", poll.name or feed.name or feed.url, queued)
            self._on_news()
        return None

    async def _understand(self, feed: Subscription, answer: Fetched) -> Poll | None:
        """None for a status that brings no feed. Raises `Invalid` for a document that is none."""
        if answer.status == 304:
            return Poll(
                next_poll_at=self._next(max_age_s(answer.header("cache-control"))),
                etag=answer.header("etag") or feed.etag,
                last_modified=answer.header("last-modified") or feed.last_modified,
            )
        if answer.status != 200:
            return None
        # feedparser takes a tenth of a second for a long feed: not on the loop
        parsed = await asyncio.to_thread(
            parse_feed, answer.body, url=answer.url, content_type=answer.header("content-type")
        )
        return Poll(
            next_poll_at=self._next(max(parsed.ttl_s, max_age_s(answer.header("cache-control")))),
            etag=answer.header("etag"),
            last_modified=answer.header("last-modified"),
            name=parsed.title,
            entries=parsed.entries,
            fault=parsed.fault,
        )

    def _next(self, asked_s: float) -> datetime:
        return next_poll(self._clock(), min_poll_s=self._settings.min_poll_s, asked_s=asked_s, draw=self._draw())

    async def _failed(self, feed: Subscription, reason: str, *, asked_s: float = 0.0, gone: bool = False) -> None:
        when = next_poll(
            self._clock(),
            min_poll_s=self._settings.min_poll_s,
            asked_s=asked_s,
            failures=feed.failures + 1,
            draw=self._draw(),
        )
        log.warning("%s: %s%s", feed.url, reason, "; the publisher says it is gone for good" if gone else "")
        metrics.FEED_POLLS.labels("failed").inc()
        await asyncio.to_thread(lambda: self._ledger.record_failure(feed.url, reason, when, gone=gone))
