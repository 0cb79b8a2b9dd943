"""What the scraper remembers: feeds, their items, the stories told. Every call is one short transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Engine
from sqlmodel import Session, col, select, update

from infra.database import transaction
from schemas.events import Article
from schemas.records import FeedItemRow, FeedRow, StoryFeatureRow
from workers.scraper.feed import Entry
from workers.scraper.stories import WINDOW, Features, Told


class Outcome(StrEnum):
    """Where a feed item stands."""

    waiting = "waiting"
    sent = "sent"
    unchanged = "unchanged"
    given_up = "given up"


@dataclass(frozen=True)
class Subscription:
    """A feed that is due, with the validators of its last answer."""

    url: str
    name: str
    etag: str
    last_modified: str
    failures: int


@dataclass(frozen=True)
class Pending:
    """An item whose page is to be read. `stamp` is what the feed said when it was taken."""

    feed_url: str
    item_key: str
    url: str
    headline: str
    published_at: datetime | None
    stamp: str
    attempts: int
    source: str

    @property
    def key(self) -> tuple[str, str]:
        return self.feed_url, self.item_key


@dataclass(frozen=True)
class Poll:
    """A feed's answer, understood. `entries` is None when nothing has changed."""

    next_poll_at: datetime
    etag: str
    last_modified: str
    name: str = ""
    entries: Sequence[Entry] | None = None
    fault: str = ""


@dataclass(frozen=True)
class Settled:
    """An item that is done: its article went out, or was known with this very text (`features` is None then)."""

    item: Pending
    outcome: Outcome
    article: Article
    features: Features | None = None


class Ledger:
    """The scraper's tables. `Transient` when the database is locked or away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def due_feeds(self, now: datetime) -> list[Subscription]:
        due = (col(FeedRow.next_poll_at).is_(None)) | (col(FeedRow.next_poll_at) <= now)
        with transaction(self._engine) as session:
            rows = session.exec(select(FeedRow).where(col(FeedRow.active), due).order_by(col(FeedRow.next_poll_at)))
            return [Subscription(row.url, row.name, row.etag, row.last_modified, row.failures) for row in rows]

    def record_poll(self, url: str, poll: Poll, now: datetime) -> int:
        """Remember the answer and queue its new and changed entries, all at once: a stored validator without its
        entries would hide them for ever behind 304. Returns how many were queued."""
        with transaction(self._engine) as session:
            row = session.get(FeedRow, url)
            if row is None:  # taken away while it was being asked
                return 0
            row.etag, row.last_modified = poll.etag, poll.last_modified
            row.next_poll_at, row.last_success_at = poll.next_poll_at, now
            row.failures, row.last_error = 0, poll.fault
            row.name = row.name or poll.name
            return _queue(session, url, poll.entries or (), now)

    def record_failure(self, url: str, reason: str, next_poll_at: datetime, *, gone: bool = False) -> None:
        with transaction(self._engine) as session:
            if row := session.get(FeedRow, url):
                row.failures, row.last_error, row.next_poll_at = row.failures + 1, reason, next_poll_at
                row.active = row.active and not gone

    def move_feed(self, url: str, new_url: str) -> None:
        """Follow a permanent redirect, unless the new address is subscribed already."""
        with transaction(self._engine) as session:
            row = session.get(FeedRow, url)
            if row is None or session.get(FeedRow, new_url) is not None:
                return
            session.exec(update(FeedRow).where(col(FeedRow.url) == url).values(url=new_url))
            session.exec(update(FeedItemRow).where(col(FeedItemRow.feed_url) == url).values(feed_url=new_url))

    def waiting(self, now: datetime, limit: int) -> list[Pending]:
        """Items whose page should be read by now, those that wait longest first."""
        query = (
            select(FeedItemRow, FeedRow.name)
            .join(FeedRow, col(FeedRow.url) == FeedItemRow.feed_url)
            .where(FeedItemRow.outcome == Outcome.waiting, col(FeedItemRow.next_try_at) <= now)
            .order_by(col(FeedItemRow.next_try_at))
            .limit(limit)
        )
        with transaction(self._engine) as session:
            return [
                Pending(
                    feed_url=row.feed_url,
                    item_key=row.item_key,
                    url=row.url,
                    headline=row.headline,
                    published_at=row.published_at,
                    stamp=row.stamp,
                    attempts=row.attempts,
                    source=name,
                )
                for row, name in session.exec(query)
            ]

    def retry(self, item: Pending, reason: str, next_try_at: datetime) -> None:
        """Try the item again later."""
        with transaction(self._engine) as session:
            if row := session.get(FeedItemRow, item.key):
                row.attempts, row.reason, row.next_try_at = row.attempts + 1, reason, next_try_at

    def give_up(self, item: Pending, reason: str, now: datetime) -> None:
        """No article will come of the item, unless its publisher changes what the feed says about it."""
        with transaction(self._engine) as session:
            if row := session.get(FeedItemRow, item.key):
                row.attempts, row.reason, row.seen_at = row.attempts + 1, reason, now
                if row.stamp == item.stamp:
                    row.outcome, row.next_try_at = Outcome.given_up, None

    def settle(self, settled: Iterable[Settled], now: datetime) -> None:
        """Mark items as done. Called only after the broker has acknowledged their articles."""
        with transaction(self._engine) as session:
            for done in settled:
                _settle(session, done, now)

    def known(self, article_ids: Iterable[UUID]) -> dict[UUID, tuple[int, str]]:
        """(revision, content hash) of the newest revision of each of these articles that went out."""
        query = (
            select(FeedItemRow)
            .where(col(FeedItemRow.article_id).in_(list(article_ids)), col(FeedItemRow.revision) > 0)
            .order_by(col(FeedItemRow.revision), col(FeedItemRow.seen_at))
        )
        with transaction(self._engine) as session:
            rows = session.exec(query)
            return {row.article_id: (row.revision, row.content_hash) for row in rows if row.article_id}

    def told(self, now: datetime) -> list[tuple[UUID, Told]]:
        """The articles of the last days, oldest first, for the index of stories."""
        query = (
            select(StoryFeatureRow)
            .where(StoryFeatureRow.seen_at >= now - WINDOW)
            .order_by(col(StoryFeatureRow.seen_at))
        )
        with transaction(self._engine) as session:
            return [(row.article_id, Told(row.story_id, row.features, row.seen_at)) for row in session.exec(query)]


def _queue(session: Session, feed_url: str, entries: Sequence[Entry], now: datetime) -> int:
    queued = 0
    for entry in entries:
        row = session.get(FeedItemRow, (feed_url, entry.key))
        if row is not None and row.stamp == entry.stamp:
            continue
        row = row or FeedItemRow(feed_url=feed_url, item_key=entry.key, outcome=Outcome.waiting, seen_at=now)
        row.url, row.headline, row.stamp = entry.url, entry.headline, entry.stamp
        row.published_at = entry.published_at
        row.outcome, row.reason, row.attempts, row.next_try_at = Outcome.waiting, "", 0, now
        session.add(row)
        queued += 1
    return queued


def _settle(session: Session, done: Settled, now: datetime) -> None:
    row = session.get(FeedItemRow, done.item.key)
    if row is None:
        return
    article = done.article
    row.article_id, row.revision, row.content_hash = article.article_id, article.revision, article.content_hash
    row.attempts, row.seen_at = row.attempts + 1, now
    if row.stamp == done.item.stamp:  # else the publisher changed it while we were reading: it waits again
        row.outcome, row.reason, row.next_try_at = done.outcome, "", None
    if done.features is not None:
        session.merge(
            StoryFeatureRow(
                article_id=article.article_id, story_id=article.story_id, features=dict(done.features), seen_at=now
            )
        )
