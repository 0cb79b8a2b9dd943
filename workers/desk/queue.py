"""What waits for a person, read from the projection. Every function is a query: it changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, case, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from schemas.events import Violation
from schemas.records import ArticleRow, CorrectionRow, PublicationRow, ScoreRow
from workers.desk.verdicts import Standing


class QueueItem(BaseModel):
    """A title in the queue. `precision` is BERTScore precision against the article; None when it was not scored."""

    model_config = ConfigDict(frozen=True)

    title_id: UUID
    title: str
    article_id: UUID
    source: str
    url: str
    headline: str
    reasons: tuple[str, ...]
    violations: tuple[Violation, ...]
    precision: float | None
    probability: float | None = None
    """That it needs a correction; None before verdicts taught that."""
    evidence: str
    model_version: str
    queued_at: datetime
    audit: bool


class EarlierTitle(BaseModel):
    """Another title over the same article, and what became of it."""

    model_config = ConfigDict(frozen=True)

    title_id: UUID
    text: str
    revision: int
    model_version: str
    verdict: str | None
    title_after: str | None


class TitleOnDesk(QueueItem):
    """Everything a curator needs for one title. `text` is the article's; `standing` is the verdict that holds now."""

    text: str
    language: str
    revision: int
    published_at: datetime | None
    fetched_at: datetime
    earlier_titles: tuple[EarlierTitle, ...]
    standing: Standing | None
    is_out: bool
    """A title of this title_id has been published: it can be replaced, not called back."""


def waiting(
    session: Session, limit: int, hidden: Collection[UUID] = (), *, audit_next: bool = False
) -> list[QueueItem]:
    """Up to `limit` titles, the most worth looking at first: most broken rules, then the likeliest to be wrong.

    Random audit samples come last and in no order of theirs, or they were no random ones where the queue is never
    emptied; with `audit_next` one of them comes first. `hidden` are titles whose verdict the projection has not seen
    yet. A title over an older revision of its article is not worth anybody's time and does not wait.
    """
    items = _best(session, limit, hidden)
    if audit_next:
        drawn = _best(session, 1, hidden, col(ScoreRow.audit).is_(True))
        items = drawn + [item for item in items if item not in drawn]
    return items[:limit]


def _best(session: Session, limit: int, hidden: Collection[UUID], *conditions: ColumnElement[bool]) -> list[QueueItem]:
    supported = func.coalesce(1 - col(ScoreRow.probability), ScoreRow.precision, 0.0)
    query = (
        select(ScoreRow, col(ArticleRow.headline))
        .join(ArticleRow, _same_revision())
        .where(*_waits(), *conditions)
        .order_by(
            col(ScoreRow.audit),
            func.json_array_length(ScoreRow.violations).desc(),
            case((col(ScoreRow.audit), 0.0), else_=supported),
            col(ScoreRow.scored_at),
            col(ScoreRow.title_id),
        )
        .limit(limit + len(hidden))
    )
    items = [_item(score, headline) for score, headline in session.exec(query) if score.title_id not in hidden]
    return items[:limit]


def count_waiting(session: Session, hidden: Collection[UUID] = ()) -> int:
    """How many titles wait in all."""
    query = select(func.count()).select_from(ScoreRow).join(ArticleRow, _same_revision()).where(*_waits())
    seen = session.exec(query).one()
    if not hidden:
        return seen
    not_there = select(func.count()).select_from(ScoreRow).join(ArticleRow, _same_revision())
    return seen - session.exec(not_there.where(*_waits(), col(ScoreRow.title_id).in_(hidden))).one()


def _same_revision() -> ColumnElement[bool]:
    return (col(ArticleRow.article_id) == col(ScoreRow.article_id)) & (
        col(ArticleRow.revision) == col(ScoreRow.revision)
    )


def _waits() -> tuple[ColumnElement[bool], ...]:
    newer = aliased(ScoreRow)
    judged = select(CorrectionRow.correction_id).where(col(CorrectionRow.title_id) == col(ScoreRow.title_id))
    superseded = select(newer.title_id).where(
        newer.article_id == col(ScoreRow.article_id), newer.revision > col(ScoreRow.revision)
    )
    return col(ScoreRow.decision) == "review", ~judged.exists(), ~superseded.exists()


def _item(score: ScoreRow, headline: str) -> QueueItem:
    return QueueItem(
        title_id=score.title_id,
        title=score.text,
        article_id=score.article_id,
        source=score.source,
        url=score.url,
        headline=headline,
        reasons=tuple(score.review_reasons),
        violations=tuple(Violation.model_validate(violation) for violation in score.violations),
        precision=score.precision,
        probability=score.probability,
        evidence=score.evidence,
        model_version=score.model_version,
        queued_at=score.scored_at,
        audit=score.audit,
    )


def on_desk(session: Session, title_id: UUID) -> TitleOnDesk | None:
    """One title with its article; None when the projection does not have both."""
    score = session.get(ScoreRow, title_id)
    article = session.get(ArticleRow, (score.article_id, score.revision)) if score else None
    if score is None or article is None:
        return None
    return TitleOnDesk(
        **_item(score, article.headline).model_dump(),
        text=article.text,
        language=article.language,
        revision=score.revision,
        published_at=article.published_at,
        fetched_at=article.fetched_at,
        earlier_titles=_earlier(session, score),
        standing=standing(session, title_id),
        is_out=score.decision == "publish" or _was_published(session, title_id),
    )


def standing(session: Session, title_id: UUID) -> Standing | None:
    """The latest verdict on a title, as far as the projection knows."""
    query = select(CorrectionRow).where(CorrectionRow.title_id == title_id)
    row = session.exec(query.order_by(col(CorrectionRow.decided_at).desc())).first()
    return Standing.model_validate(row) if row else None


def _was_published(session: Session, title_id: UUID) -> bool:
    query = select(PublicationRow.event_id).where(PublicationRow.title_id == title_id).limit(1)
    return session.exec(query).first() is not None


def _earlier(session: Session, score: ScoreRow) -> tuple[EarlierTitle, ...]:
    query = (
        select(ScoreRow)
        .where(ScoreRow.article_id == score.article_id, ScoreRow.title_id != score.title_id)
        .order_by(col(ScoreRow.revision), col(ScoreRow.scored_at))
    )
    titles = []
    for other in session.exec(query):
        verdict = standing(session, other.title_id)
        titles.append(
            EarlierTitle(
                title_id=other.title_id,
                text=other.text,
                revision=other.revision,
                model_version=other.model_version,
                verdict=verdict.verdict if verdict else None,
                title_after=verdict.title_after if verdict else None,
            )
        )
    return tuple(titles)


class Progress(BaseModel):
    """The day so far. `minutes_per_title` is None before anything was judged with a stopwatch running."""

    model_config = ConfigDict(frozen=True)

    waiting: int
    judged_today: int
    published_today: int
    minutes_per_title: float | None
    verdicts_today: dict[str, int]


def judged(session: Session, since: datetime, hidden: Collection[UUID] = ()) -> int:
    """Verdicts since then, with those that the projection has not seen yet."""
    query = select(func.count()).select_from(CorrectionRow).where(col(CorrectionRow.decided_at) >= since)
    return session.exec(query).one() + len(hidden)


def progress(session: Session, since: datetime, hidden: Collection[UUID] = ()) -> Progress:
    """Counts since the start of the day. `hidden` are verdicts that the projection has not seen yet."""
    today = col(CorrectionRow.decided_at) >= since
    by_verdict = select(CorrectionRow.verdict, func.count()).where(today).group_by(CorrectionRow.verdict)
    verdicts = dict(session.exec(by_verdict).all())
    seconds = session.exec(
        select(func.avg(CorrectionRow.seconds_spent)).where(today, CorrectionRow.seconds_spent > 0)
    ).one()
    published = select(func.count()).select_from(PublicationRow).where(col(PublicationRow.published_at) >= since)
    return Progress(
        waiting=count_waiting(session, hidden),
        judged_today=sum(verdicts.values()) + len(hidden),
        published_today=session.exec(published).one(),
        minutes_per_title=round(seconds / 60, 2) if seconds else None,
        verdicts_today=verdicts,
    )
