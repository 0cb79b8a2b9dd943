"""What the desk can look up: published titles, the way of an article, the models. Every function is a query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from schemas.records import (
    AliasHistoryRow,
    AliasRow,
    ArticleRow,
    CorrectionRow,
    ModelVersionRow,
    PublicationRow,
    ScoreRow,
    TitleRow,
    TrainingExampleRow,
    TrainingRunRow,
)


@dataclass(frozen=True)
class Published:
    """A title that went out. `replaced` when a later one over the same article took its place."""

    publication: PublicationRow
    source: str
    headline: str
    curator: str | None
    replaced: bool


def published(session: Session, limit: int, before: datetime | None = None) -> list[Published]:
    """The latest published titles, newest first; `before` turns the page."""
    query = (
        select(PublicationRow, ArticleRow, col(CorrectionRow.curator))
        .join(
            ArticleRow,
            (col(ArticleRow.article_id) == col(PublicationRow.article_id))
            & (col(ArticleRow.revision) == col(PublicationRow.revision)),
        )
        .join(CorrectionRow, col(CorrectionRow.correction_id) == col(PublicationRow.correction_id), isouter=True)
        .order_by(col(PublicationRow.published_at).desc(), col(PublicationRow.event_id))
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(PublicationRow.published_at) < before)
    rows = session.exec(query).all()
    latest = _latest_publication(session, [publication.article_id for publication, _, _ in rows])
    return [
        Published(
            publication=publication,
            source=article.source,
            headline=article.headline,
            curator=curator,
            replaced=latest[publication.article_id] > publication.published_at,
        )
        for publication, article, curator in rows
    ]


def _latest_publication(session: Session, article_ids: list[UUID]) -> dict[UUID, datetime]:
    query = select(PublicationRow.article_id, PublicationRow.published_at)
    latest: dict[UUID, datetime] = {}
    for article_id, moment in session.exec(query.where(col(PublicationRow.article_id).in_(article_ids))):
        latest[article_id] = max(moment, latest.get(article_id, moment))
    return latest


@dataclass(frozen=True)
class TitleStory:
    """One title of an article: who wrote it, how it was judged, what came of it, which training used it."""

    title: TitleRow
    score: ScoreRow | None
    corrections: tuple[CorrectionRow, ...]
    publications: tuple[PublicationRow, ...]
    trainings: tuple[tuple[TrainingRunRow, str], ...]
    """Runs that used a correction of this title, each with the side of the split."""


@dataclass(frozen=True)
class ArticleStory:
    """An article's whole way, the newest revision first."""

    revisions: tuple[ArticleRow, ...]
    titles: tuple[TitleStory, ...]


def way_of(session: Session, article_id: UUID) -> ArticleStory | None:
    """Everything known about an article, or None."""
    revisions = session.exec(
        select(ArticleRow).where(ArticleRow.article_id == article_id).order_by(col(ArticleRow.revision).desc())
    ).all()
    if not revisions:
        return None
    titles = session.exec(
        select(TitleRow).where(TitleRow.article_id == article_id).order_by(col(TitleRow.written_at).desc())
    ).all()
    return ArticleStory(tuple(revisions), tuple(_story(session, title) for title in titles))


def _story(session: Session, title: TitleRow) -> TitleStory:
    corrections = session.exec(
        select(CorrectionRow)
        .where(CorrectionRow.title_id == title.title_id)
        .order_by(col(CorrectionRow.decided_at).desc())
    ).all()
    publications = session.exec(
        select(PublicationRow)
        .where(PublicationRow.title_id == title.title_id)
        .order_by(col(PublicationRow.published_at).desc())
    ).all()
    trainings = session.exec(
        select(TrainingRunRow, col(TrainingExampleRow.split))
        .join(TrainingExampleRow, col(TrainingExampleRow.run_id) == col(TrainingRunRow.run_id))
        .where(col(TrainingExampleRow.correction_id).in_([row.correction_id for row in corrections]))
        .order_by(col(TrainingRunRow.started_at).desc())
    ).all()
    return TitleStory(
        title=title,
        score=session.get(ScoreRow, title.title_id),
        corrections=tuple(corrections),
        publications=tuple(publications),
        trainings=tuple((run, split) for run, split in trainings),
    )


@dataclass(frozen=True)
class Models:
    """The model registry at a glance, everything newest first."""

    aliases: dict[str, str]
    versions: tuple[ModelVersionRow, ...]
    history: tuple[AliasHistoryRow, ...]
    runs: tuple[TrainingRunRow, ...]


def models(session: Session, limit: int = 20) -> Models:
    """Versions, what the aliases stand for, the moves of the aliases and the latest trainings."""
    versions = session.exec(select(ModelVersionRow).order_by(col(ModelVersionRow.created_at).desc()).limit(limit))
    history = session.exec(select(AliasHistoryRow).order_by(col(AliasHistoryRow.decided_at).desc()).limit(limit))
    runs = session.exec(select(TrainingRunRow).order_by(col(TrainingRunRow.started_at).desc()).limit(limit))
    return Models(
        aliases={row.alias: row.version for row in session.exec(select(AliasRow))},
        versions=tuple(versions),
        history=tuple(history),
        runs=tuple(runs),
    )
