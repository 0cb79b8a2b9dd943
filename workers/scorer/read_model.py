"""What the scorer asks the read model: what poor support is for a source, and which titles are out for a story.

Sites differ: where one writes short items, precision is low throughout, and one threshold for all would flag all of it
and nothing elsewhere. So until verdicts have taught better, poor support is the lowest of a source's own titles.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from infra.published import published_on_story
from schemas.events import Article
from schemas.records import ScoreRow

FEWEST = 100
"""Titles of a source; of fewer nothing is said."""
MOST = 500
_REST_S = 60.0
_KEPT = 10_000
log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class _Away(Exception):
    """The database does not answer, or did not a moment ago."""


class ReadModel:
    """Says nothing that came after the article in question: the same title gets the same verdict when it is delivered
    again. Nothing waits for the database: while it is away nothing is said. Not thread-safe.
    """

    def __init__(
        self, engine: Engine, scorer_hash: str, share: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`share` (0..1) of a source's titles have poor support."""
        self._engine = engine
        self._scorer_hash = scorer_hash
        self._share = share
        self._clock = clock
        self._known: dict[tuple[str, datetime], float | None] = {}
        self._asked_again_at = 0.0

    def lowest(self, source: str, fetched_at: datetime) -> float | None:
        """The precision below which a title of this source is looked at; None where too little is known.

        It holds for a day, by when the article was fetched, and comes from the titles scored before it.
        """
        morning = fetched_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if (source, morning) in self._known:
            return self._known[source, morning]
        try:
            found = self._ask(lambda session: self._lowest(session, source, morning))
        except _Away:
            return None
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[source, morning] = found
        return found

    def out(self, article: Article) -> tuple[str, ...]:
        """Titles of other articles on the story that were out when this one was fetched, as far as that is known."""
        story, itself, then = article.story_id, article.article_id, article.fetched_at
        try:
            return self._ask(lambda session: published_on_story(session, story, but_for=itself, before=then))
        except _Away:
            return ()

    def _ask(self, question: Callable[[Session], Answer]) -> Answer:
        if self._clock() < self._asked_again_at:
            raise _Away
        try:
            with Session(self._engine) as session:
                return question(session)
        except SQLAlchemyError as error:
            self._asked_again_at = self._clock() + _REST_S
            log.warning(
                "nothing is known of sources and stories, as the database does not answer: %s", type(error).__name__
            )
            raise _Away from error

    def _lowest(self, session: Session, source: str, before: datetime) -> float | None:
        query = (
            select(ScoreRow.precision)
            .where(
                ScoreRow.source == source,
                ScoreRow.scorer == self._scorer_hash,
                col(ScoreRow.precision).is_not(None),
                ScoreRow.scored_at < before,
            )
            .order_by(col(ScoreRow.scored_at).desc(), col(ScoreRow.title_id))
            .limit(MOST)
        )
        made = sorted(precision for precision in session.exec(query) if precision is not None)
        return made[int(self._share * (len(made) - 1))] if len(made) >= FEWEST else None
