"""What counts as poor support for a source, until verdicts have taught better: the lowest of its own titles.

Sites differ: where one writes short items, precision is low throughout, and one threshold for all would flag all of it
and nothing elsewhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from schemas.records import ScoreRow

FEWEST = 100
"""Titles of a source; of fewer nothing is said."""
MOST = 500
_REST_S = 60.0
_KEPT = 10_000
log = logging.getLogger(__name__)


class Sources:
    """Precisions below which `share` (0..1) of a source's titles lie, from the read model.

    They hold for a day, by when the article was fetched, and come from the titles scored before it: so the same title
    gets the same verdict when it is delivered again. Nothing waits for the database: while it is away nothing is said.
    Not thread-safe.
    """

    def __init__(
        self, engine: Engine, scorer_hash: str, share: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._scorer_hash = scorer_hash
        self._share = share
        self._clock = clock
        self._known: dict[tuple[str, datetime], float | None] = {}
        self._asked_again_at = 0.0

    def lowest(self, source: str, fetched_at: datetime) -> float | None:
        """The precision below which a title of this source is looked at; None where too little is known."""
        morning = fetched_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if (source, morning) in self._known:
            return self._known[source, morning]
        if self._clock() < self._asked_again_at:
            return None
        try:
            found = self._find(source, morning)
        except SQLAlchemyError as error:
            self._asked_again_at = self._clock() + _REST_S
            log.warning("no figures of single sources, as the database does not answer: %s", type(error).__name__)
            return None
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[source, morning] = found
        return found

    def _find(self, source: str, before: datetime) -> float | None:
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
        with Session(self._engine) as session:
            made = sorted(precision for precision in session.exec(query) if precision is not None)
        return made[int(self._share * (len(made) - 1))] if len(made) >= FEWEST else None
