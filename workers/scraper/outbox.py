"""Sends articles: gives a draft its revision and story, sends it, and only then marks its item as done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from infra.observability import metrics, tracing
from schemas.envelope import Message, encode
from schemas.errors import Invalid
from schemas.events import Article
from schemas.topics import ARTICLES, Topic
from workers.scraper.ledger import Ledger, Outcome, Settled
from workers.scraper.reader import Draft
from workers.scraper.stories import StoryIndex, Told

log = logging.getLogger(__name__)

Send = Callable[[Sequence[tuple[Topic, Message]]], None]
"""Blocks until all are acknowledged; `Transient` when they are not, `Invalid` when one is too large."""


class Outbox:
    """One at a time: a second article with the same address must see the first one's revision."""

    def __init__(self, ledger: Ledger, send: Send, *, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._send = send
        self._clock = clock
        self._stories: StoryIndex | None = None

    def dispatch(self, drafts: Sequence[Draft]) -> int:
        """Send what is new or changed and return how many that were. Blocks.

        Raises `Transient` with nothing marked when the broker or the database is away: dispatch the same again. What
        had been sent already goes out a second time then, with the same ids.
        """
        now = self._clock()
        settled = self._settle(drafts, now)
        news = [done for done in settled if done.outcome is Outcome.sent]
        try:
            self._send([(ARTICLES, _message(done.article, now)) for done in news])
        except Invalid as error:
            if len(drafts) > 1:  # find out which one it is
                return sum(self.dispatch([draft]) for draft in drafts)
            self._ledger.give_up(drafts[0].item, str(error), now)
            log.warning("%s: %s", drafts[0].item.url, error)
            return 0
        self._ledger.settle(settled, now)
        metrics.EVENTS_SENT.labels(ARTICLES.name).inc(len(news))
        for draft, done in zip(drafts, settled, strict=True):
            if done.outcome is Outcome.sent:
                _trace(done.article, draft, self._clock())
        for done in news:
            log.debug("sent %s revision %d: %s", done.article.article_id, done.article.revision, done.article.headline)
        return len(news)

    def _settle(self, drafts: Sequence[Draft], now: datetime) -> list[Settled]:
        index = self._index(now)
        ids = [Article.make_id(draft.canonical_url) for draft in drafts]
        known = self._ledger.known(ids)
        settled: list[Settled] = []
        for article_id, draft in zip(ids, drafts, strict=True):
            revision, seen_hash = known.get(article_id, (0, ""))
            unchanged = seen_hash == draft.content_hash
            story_id = index.story_of(article_id, draft.features)
            article = _article(draft, article_id, revision if unchanged else revision + 1, story_id)
            if unchanged:
                settled.append(Settled(draft.item, Outcome.unchanged, article))
                continue
            known[article_id] = (article.revision, article.content_hash)
            kept = index.keep(draft.features)
            index.add(article_id, Told(story_id, kept, now))
            settled.append(Settled(draft.item, Outcome.sent, article, kept))
        return settled

    def _index(self, now: datetime) -> StoryIndex:
        if self._stories is None:
            self._stories = StoryIndex()
            for article_id, told in self._ledger.told(now):
                self._stories.add(article_id, told)
        self._stories.prune(now)
        return self._stories


def _message(article: Article, now: datetime) -> Message:
    return encode(article, source="scraper", time=now, traceparent=tracing.begun(article.event_id))


def _trace(article: Article, draft: Draft, now: datetime) -> None:
    """The way begins when the page is asked for and has its first stop when the broker has the article."""
    tracing.first(
        "scraper article",
        article.event_id,
        draft.asked_at,
        now,
        key=str(article.article_id),
        revision=article.revision,
        source=article.source,
        fetch_seconds=(draft.fetched_at - draft.asked_at).total_seconds(),
    )


def _article(draft: Draft, article_id: UUID, revision: int, story_id: UUID) -> Article:
    return Article(
        article_id=article_id,
        revision=revision,
        url=draft.item.url,
        canonical_url=draft.canonical_url,
        source=draft.item.source or urlsplit(draft.canonical_url).netloc,
        feed_url=draft.item.feed_url,
        headline=draft.headline,
        text=draft.text,
        language=draft.language,
        published_at=draft.item.published_at,
        fetched_at=draft.fetched_at,
        content_hash=draft.content_hash,
        story_id=story_id,
        training_allowed=draft.permission.allowed,
        training_reason=draft.permission.reason,
    )


async def drain(queue: asyncio.Queue[Draft], most: int) -> list[Draft]:
    """Wait for a draft and take what else is there, at most `most`."""
    drafts = [await queue.get()]
    while len(drafts) < most and not queue.empty():
        drafts.append(queue.get_nowait())
    return drafts
