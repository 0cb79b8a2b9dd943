"""How good the flagger is and where titles drift to, read from the projection. Every function is a query."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from editorial import drift
from editorial.copying import copied, novel
from editorial.quality import Bin, Counts, Quality, curve, quality
from schemas.events import Verdict
from schemas.records import ArticleRow, CorrectionRow, ModelVersionRow, ScoreRow

DAYS = 30
"""How far back to look, if nothing else is said."""
_SCORES = 20_000
"""The newest, of all sources together."""
_VERSIONS = 5
_TITLES = 100
"""The newest of each model version whose wording is compared with the articles'."""


class Wording(BaseModel):
    """How far a model version's newest titles keep to the articles' own words; shares, 0..1, mean over `titles`."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model_version: str
    titles: int
    copied: float
    """Of a title's words, those that stand in the article as one stretch."""
    novel: float
    """Of a title's pairs of neighbouring words, those that the article does not have."""


class SourceShift(BaseModel):
    """A source whose scores are no longer what they were."""

    model_config = ConfigDict(frozen=True)

    source: str
    words: str


class QualityReport(BaseModel):
    """What the flagger says of itself, which sources have shifted, and the wording of the versions, newest first."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    flagger: Quality
    calibration: tuple[Bin, ...]
    """Empty until a model version serves that learned probabilities."""
    shifts: tuple[SourceShift, ...]
    wording: tuple[Wording, ...]


def report(session: Session, now: datetime, days: int = DAYS) -> QualityReport:
    """Of titles scored in the last `days`; those that a teacher model wrote for review are not the flagger's."""
    since = now - timedelta(days=days)
    verdicts = judged(session, since)
    counted = counts(session, since, verdicts)
    told = [
        (one.probability, one.verdict is Verdict.corrected, one.audit)
        for one in verdicts
        if one.probability is not None
    ]
    return QualityReport(
        since=since,
        flagger=quality(counted),
        calibration=curve(told, counted),
        shifts=tuple(
            SourceShift(source=shift.source, words=str(shift)) for shift in drift.shifts(_scores(session, since))
        ),
        wording=tuple(_wording(session, since)),
    )


@dataclass(frozen=True)
class Judged:
    """The latest verdict on a title that was shown to curators, and what the scorer had told of it."""

    audit: bool
    verdict: Verdict
    probability: float | None


def judged(session: Session, since: datetime) -> list[Judged]:
    """Of titles scored since then. One that was published and then corrected all the same is not among them."""
    verdicts = session.exec(
        select(ScoreRow.title_id, ScoreRow.audit, CorrectionRow.verdict, ScoreRow.probability)
        .join(CorrectionRow, col(CorrectionRow.title_id) == col(ScoreRow.title_id))
        .where(*_by_models(since), ScoreRow.decision == "review")
        .order_by(col(CorrectionRow.decided_at), col(CorrectionRow.correction_id))
    )
    latest = {title_id: Judged(audit, Verdict(verdict), told) for title_id, audit, verdict, told in verdicts}
    return [one for one in latest.values() if one.verdict is not Verdict.spiked]


def counts(session: Session, since: datetime, verdicts: Sequence[Judged]) -> Counts:
    """Titles scored since then, with the verdicts on them."""
    kinds = (col(ScoreRow.decision), col(ScoreRow.audit))
    made = {
        (decision, audit): count
        for decision, audit, count in session.exec(
            select(*kinds, func.count()).where(*_by_models(since)).group_by(*kinds)
        )
    }
    given = Counter((one.audit, one.verdict) for one in verdicts)
    return Counts(
        flagged=made.get(("review", False), 0),
        flagged_judged=given[False, Verdict.approved] + given[False, Verdict.corrected],
        flagged_corrected=given[False, Verdict.corrected],
        unflagged=made.get(("publish", False), 0) + made.get(("review", True), 0),
        audited=given[True, Verdict.approved] + given[True, Verdict.corrected],
        audited_corrected=given[True, Verdict.corrected],
    )


def _by_models(since: datetime) -> tuple[ColumnElement[bool], ...]:
    registered = select(ModelVersionRow.version)
    return col(ScoreRow.scored_at) >= since, col(ScoreRow.model_version).in_(registered)


def _scores(session: Session, since: datetime) -> dict[str, list[float]]:
    """Precisions by source, the oldest first, by the version and scorer that made most of the source's newest titles.

    Another version writes otherwise, and another scorer's figures mean something else: both are no drift of a source.
    """
    newest = session.exec(
        select(ScoreRow.source, ScoreRow.model_version, ScoreRow.scorer, ScoreRow.precision)
        .where(*_by_models(since), col(ScoreRow.precision).is_not(None))
        .order_by(col(ScoreRow.scored_at).desc(), col(ScoreRow.title_id))
        .limit(_SCORES)
    )
    by_source: defaultdict[str, list[tuple[tuple[str, str], float]]] = defaultdict(list)
    for source, version, scorer, precision in newest:
        by_source[source].append(((version, scorer), precision or 0.0))
    found = {}
    for source, made in by_source.items():
        (maker, _), *_ = Counter(one for one, _ in made[: drift.RECENT]).most_common(1)
        found[source] = [precision for one, precision in reversed(made) if one == maker]
    return found


def _wording(session: Session, since: datetime) -> list[Wording]:
    last = func.max(ScoreRow.scored_at)
    versions = session.exec(
        select(ScoreRow.model_version, last)
        .where(*_by_models(since))
        .group_by(col(ScoreRow.model_version))
        .order_by(last.desc())
        .limit(_VERSIONS)
    ).all()
    return [_wording_of(session, version, since) for version, _ in versions]


def _wording_of(session: Session, version: str, since: datetime) -> Wording:
    titles = session.exec(
        select(ScoreRow.text, ArticleRow.text)
        .join(
            ArticleRow,
            (col(ArticleRow.article_id) == col(ScoreRow.article_id))
            & (col(ArticleRow.revision) == col(ScoreRow.revision)),
        )
        .where(*_by_models(since), ScoreRow.model_version == version)
        .order_by(col(ScoreRow.scored_at).desc(), col(ScoreRow.title_id))
        .limit(_TITLES)
    ).all()
    worded = [(copied(title, article), novel(title, article)) for title, article in titles if title.strip()]
    return Wording(
        model_version=version,
        titles=len(worded),
        copied=fmean(one for one, _ in worded) if worded else 0.0,
        novel=fmean(one for _, one in worded) if worded else 0.0,
    )
