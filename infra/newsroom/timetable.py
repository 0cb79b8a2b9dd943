"""The simulated press: which story appears when and where. The same seed and clock always give the same press."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from infra.newsroom.sites import FeedKind, Item, Page, Site, slugify
from infra.newsroom.stories import Story, retell, revise, write_story

HARBOR = Site("harbor-times", "Harbor Times", FeedKind.rss, "feed.xml", "harbor.html", "News from the waterfront of AI")
LOOM = Site("loom-gazette", "The Loom Gazette", FeedKind.atom, "atom.xml", "loom.html", "Machines, woven into life")
LANTERN = Site(
    "lantern-review",
    "Lantern Review",
    FeedKind.json,
    "feed.json",
    "lantern.html",
    "Slow light on fast news",
    reserved=True,
)
NORTHWIRE = Site("northwire", "Northwire", FeedKind.rss, "rss.xml", "northwire.html", "What the others say, in short")
BUGLE = Site("broken-bugle", "Broken Bugle", FeedKind.broken, "feed.xml", "harbor.html", "Its feed is malformed")
SITES = (HARBOR, LOOM, LANTERN, NORTHWIRE, BUGLE)

FIRST_BATCH = 24
"""Articles that are there when the press opens."""
FEED_LENGTH = 60
"""Items per feed when the press never ends; otherwise a feed lists all."""
REVISED_AFTER = timedelta(seconds=20)
RETOLD_WITHIN = 8
HEAVY = 7
DEAD_LINK = "Withdrawn: what the council really said"
EMPTY_PAGE = "Picture of the day"


class SimulatedPress:
    """Articles numbered from 0. Number n has one site, one moment and one story, whatever was asked before."""

    simulated = True
    sites: tuple[Site, ...] = SITES

    def __init__(self, *, seed: int, opened_at: datetime, per_minute: float, total: int | None = None) -> None:
        self._seed = seed
        self._opened_at = opened_at.replace(microsecond=0)
        self._interval = timedelta(minutes=1) / per_minute
        self._total = total
        # per instance, so that they die with it; a press that runs for weeks must not remember every article
        self._site_of = lru_cache(maxsize=50_000)(self._draw_site)
        self._story_of = lru_cache(maxsize=5_000)(self._write)
        self._revision_of = lru_cache(maxsize=1_000)(self._revise)

    def count(self, now: datetime) -> int:
        since = int((now - self._opened_at) / self._interval) if now >= self._opened_at else 0
        return FIRST_BATCH + since if self._total is None else min(FIRST_BATCH + since, self._total)

    def complete(self, now: datetime) -> bool:
        if self._total is None or self.count(now) < self._total:
            return False
        return now > max(self._published_at(self._total - 1), self._opened_at) + REVISED_AFTER

    def items(self, site: Site, now: datetime) -> list[Item]:
        if site.kind is FeedKind.broken:  # no article is ever its own: the search would go back to the first
            return []
        newest_first = reversed(range(self.count(now)))
        wanted: Iterator[int] = (number for number in newest_first if self._site_of(number) == site)
        limit = FEED_LENGTH if self._total is None else self._total
        items = [self._item(number, now) for number, _ in zip(wanted, range(limit), strict=False)]
        return items + self._oddities(site)

    def find(self, site: Site, slug: str, now: datetime) -> Item | None:
        number = slug.rpartition("-")[2]
        if number.isdigit() and int(number) < self.count(now) and self._site_of(int(number)) == site:
            item = self._item(int(number), now)
            return item if item.slug == slug else None
        return next((item for item in self._oddities(site) if item.slug == slug), None)

    def _draw_site(self, number: int) -> Site:
        draw = random.Random(f"site:{self._seed}:{number}").random()
        if draw < 0.15 and number >= 3:
            return NORTHWIRE
        return HARBOR if draw < 0.48 else LOOM if draw < 0.81 else LANTERN

    def _write(self, number: int) -> Story:
        if self._site_of(number) != NORTHWIRE:
            return write_story(self._seed, number)
        before = [n for n in range(max(0, number - RETOLD_WITHIN), number) if self._site_of(n) != NORTHWIRE]
        told = random.Random(f"retold:{self._seed}:{number}").choice(before or [0])
        return retell(self._story_of(told), self._seed)

    def _revise(self, number: int) -> Story | None:
        if number % 11 != 4 or self._site_of(number) == NORTHWIRE:
            return None
        try:
            return revise(self._story_of(number), self._seed)
        except ValueError:  # not every story has room for another figure
            return None

    def _published_at(self, number: int) -> datetime:
        if number < FIRST_BATCH:
            return self._opened_at - timedelta(minutes=7 * (FIRST_BATCH - number))
        return (self._opened_at + self._interval * (number - FIRST_BATCH + 1)).replace(microsecond=0)

    def _item(self, number: int, now: datetime) -> Item:
        story, published_at = self._story_of(number), self._published_at(number)
        item = Item(
            slug=f"{slugify(story.headline)}-{number}",
            headline=story.headline,
            paragraphs=tuple(story.text.split("\n\n")),
            published_at=published_at,
            updated_at=published_at,
            page=Page.heavy if number == HEAVY else Page.article,
        )
        revised_at = max(published_at, self._opened_at) + REVISED_AFTER
        revision = self._revision_of(number) if now >= revised_at else None
        if revision is None:
            return item
        return replace(
            item, headline=revision.headline, paragraphs=tuple(revision.text.split("\n\n")), updated_at=revised_at
        )

    def _oddities(self, site: Site) -> list[Item]:
        """Items without an article, as every press has them."""
        found = {HARBOR.slug: (DEAD_LINK, Page.dead), LOOM.slug: (EMPTY_PAGE, Page.empty)}.get(site.slug)
        if found is None:
            return []
        headline, page = found
        return [Item(slugify(headline), headline, (), self._opened_at, self._opened_at, page)]
