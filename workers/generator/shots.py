"""Examples for the prompt: similar articles with the titles that curators gave them, the newest verdict included."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sqlalchemy import Engine as Database

from editorial.embedding import Embedder
from editorial.similar import MOST, Curated, Shelf
from infra.curated import read_curated
from infra.database import make_engine, migrate
from infra.settings import Settings
from schemas.errors import Transient
from schemas.events import Article, Verdict

LOOK_EVERY_S = 1.0
OVERLAP = timedelta(minutes=10)
"""A verdict may reach the read model after one that was made later."""
log = logging.getLogger(__name__)


class Shots:
    """A shelf of curated titles that follows the read model. `find` may be called by many at a time."""

    def __init__(self, database: Database, embedder: Embedder, count: int, least: float) -> None:
        """At most `count` examples per article, with a cosine of at least `least`."""
        self._database, self._embedder = database, embedder
        self._count, self._least = count, least
        self._shelf = Shelf()
        self._newest: datetime | None = None
        self._looked = -LOOK_EVERY_S
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shots")  # a model belongs to one thread

    async def find(self, article: Article) -> list[Curated]:
        """Examples for this article, the most similar last. The same story is never among them."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._find, article)

    def _find(self, article: Article) -> list[Curated]:
        self._follow()
        if not len(self._shelf):
            return []
        vector = self._embedder.embed([article.text])[0]
        return self._shelf.nearest(vector, self._count, self._least, story_id=article.story_id)

    def _follow(self) -> None:
        if time.monotonic() - self._looked < LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        since = self._newest - OVERLAP if self._newest else None
        try:
            rows = read_curated(self._database, since, MOST)
        except Transient as trouble:
            log.warning("the examples stay as they are: %s", trouble)
            return
        latest = {verdict.article_id: (verdict, article) for verdict, article in rows}  # the last of them holds
        for verdict, _ in latest.values():
            if verdict.verdict == Verdict.spiked:
                self._shelf.remove(verdict.article_id)
        self._add(
            [
                Curated(verdict.article_id, verdict.story_id, article.text, verdict.title_after)
                for verdict, article in latest.values()
                if verdict.verdict != Verdict.spiked
            ]
        )
        self._newest = max((verdict.decided_at for verdict, _ in rows), default=self._newest)

    def _add(self, examples: Sequence[Curated]) -> None:
        new = [example for example in examples if self._shelf.vector_of(example) is None]
        vectors = dict(
            zip([one.article_id for one in new], self._embedder.embed([one.text for one in new]), strict=True)
        )
        for example in examples:
            vector = self._shelf.vector_of(example)
            self._shelf.put(example, vectors[example.article_id] if vector is None else vector)


def open_shots(settings: Settings) -> Shots | None:
    """The shelf over the read model, or None where no examples are wanted."""
    if not settings.examples:
        return None
    database = make_engine(settings)
    migrate(database)
    return Shots(database, Embedder(settings.threads), settings.examples, settings.examples_similarity)
