"""Reads an item's page into a draft of an article, as far as its publisher allows."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from infra.settings import Settings
from schemas.errors import Invalid, Transient
from workers.scraper.extract import extract
from workers.scraper.fetch import Fetched, Fetcher
from workers.scraper.identity import content_hash, page_address
from workers.scraper.ledger import Pending
from workers.scraper.politeness import Permission, Robots, retry_after_s, robots_text, training_permission
from workers.scraper.stories import Features, features

PER_HOST = 4
ROBOTS_FOR = timedelta(hours=24)
DEAD = (404, 410)

_CHARSET = re.compile(r"charset=[\"']?([\w.:-]+)", re.I)


class DeadLink(Transient):
    """The page is not there (404, 410). Some appear a little after the feed; most never do."""


class Refused(Transient):
    """The server wants us to come back later; `after_s` says when, 0 if it did not say."""

    def __init__(self, message: str, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s


@dataclass(frozen=True)
class Draft:
    """An article but for its revision and story, which depend on what else is known."""

    item: Pending
    canonical_url: str
    headline: str
    text: str
    language: str
    content_hash: str
    features: Features
    permission: Permission
    asked_at: datetime
    fetched_at: datetime


class Reader:
    """At most `PER_HOST` requests at a time to one host; robots.txt is kept for a day."""

    def __init__(self, settings: Settings, fetcher: Fetcher, *, clock: Callable[[], datetime]) -> None:
        self._agent = settings.user_agent
        self._fetcher = fetcher
        self._clock = clock
        self._gates: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(PER_HOST))
        self._robots: dict[str, tuple[datetime, Robots]] = {}

    async def read(self, item: Pending) -> Draft:
        """Raises `Invalid` when no article will ever come of it, `Transient` (`DeadLink`, `Refused`) when one may."""
        asked_at = self._clock()
        async with self._gates[urlsplit(item.url).netloc]:
            robots = await self._robots_of(item.url)
            if not robots.may_fetch(item.url, self._agent):
                raise Invalid("robots.txt forbids it")
            answer = await self._fetcher.get(item.url, accept="text/html, application/xhtml+xml")
        self._check(answer)
        return await asyncio.to_thread(_draft, item, answer, robots, asked_at, self._clock())

    async def _robots_of(self, url: str) -> Robots:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        until, robots = self._robots.get(origin, (None, None))
        if robots is None or until is None or until < self._clock():
            answer = await self._fetcher.get(f"{origin}/robots.txt")
            robots = Robots(robots_text(answer.status, answer.body))
            self._robots[origin] = (self._clock() + ROBOTS_FOR, robots)
        return robots

    def _check(self, answer: Fetched) -> None:
        if answer.status in DEAD:
            raise DeadLink(f"dead link (HTTP {answer.status})")
        if answer.status in (408, 425, 429) or answer.status >= 500:
            raise Refused(f"HTTP {answer.status}", retry_after_s(answer.header("retry-after"), self._clock()))
        if answer.status != 200:
            raise Invalid(f"HTTP {answer.status}")
        kind = answer.header("content-type").partition(";")[0].strip().lower()
        if kind not in ("", "text/html", "application/xhtml+xml", "text/plain"):
            raise Invalid(f"not a page but {kind}")


def _draft(item: Pending, answer: Fetched, robots: Robots, asked_at: datetime, now: datetime) -> Draft:
    charset = _CHARSET.search(answer.header("content-type"))
    page = extract(answer.body, url=answer.url, charset=charset.group(1) if charset else "")
    headline = item.headline or page.headline
    return Draft(
        item=item,
        canonical_url=page_address(answer.url, page.canonical),
        headline=headline,
        text=page.text,
        language=page.language or "und",
        # the page's own headline: two feeds may head one page differently without its being revised
        content_hash=content_hash(page.headline or headline, page.text),
        features=features(headline, page.text),
        permission=training_permission(robots, answer.url, answer.headers, page.opt_outs),
        asked_at=asked_at,
        fetched_at=now,
    )
