"""Looks at the quality report once a minute: its figures become metrics, and what has shifted becomes a log line."""

from __future__ import annotations

import logging
from math import nan

from editorial.quality import Share
from infra.observability import metrics
from schemas.errors import Transient
from workers.desk import quality
from workers.desk.desk import Desk
from workers.desk.quality import QualityReport

EVERY_S = 60.0
log = logging.getLogger(__name__)


class Watch:
    """Not thread-safe: one look after the other."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shifted: frozenset[str] = frozenset()

    def look(self) -> None:
        """Blocks for as long as the queries take. While the database does not answer the metrics say NaN."""
        try:
            with self._desk.reading() as session:
                found = quality.report(session, self._desk.now())
        except Transient:
            _say(None)
            return
        _say(found)
        self._tell(found)

    def _tell(self, found: QualityReport) -> None:
        """Each shift once, when it begins."""
        sources = {line.source: line for line in found.shifts}
        for source in sorted(sources.keys() - self._shifted):
            log.warning("%s", sources[source].words)
        for source in sorted(self._shifted - sources.keys()):
            log.info("the scores of %s no longer shift", source)
        self._shifted = frozenset(sources)


def _say(found: QualityReport | None) -> None:
    flagger = found.flagger if found else None
    for gauge, share in (
        (metrics.FLAGGER_PRECISION, flagger.precision if flagger else None),
        (metrics.FLAGGER_MISSED, flagger.missed if flagger else None),
        (metrics.FLAGGER_RECALL, flagger.recall if flagger else None),
    ):
        for bound in ("estimate", "low", "high"):
            gauge.labels(bound).set(_bound(share, bound))
    metrics.SHIFTED_SOURCES.set(len(found.shifts) if found else nan)
    newest = found.wording[0] if found and found.wording else None
    metrics.COPIED.set(newest.copied if newest else nan)
    metrics.NOVEL.set(newest.novel if newest else nan)


def _bound(share: Share | None, bound: str) -> float:
    return float(getattr(share, bound)) if share else nan
