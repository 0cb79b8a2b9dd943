"""Titles that are out, as the read model knows them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from schemas.records import ArticleRow, PublicationRow

MOST = 100
"""The newest titles of a story; what was out before that nobody remembers."""


def published_on_story(
    session: Session, story_id: UUID, *, but_for: UUID, before: datetime | None = None
) -> tuple[str, ...]:
    """The titles that went out over other articles (than `but_for`) on the same story, the newest first."""
    query = (
        select(PublicationRow.text)
        .join(
            ArticleRow,
            (col(ArticleRow.article_id) == col(PublicationRow.article_id))
            & (col(ArticleRow.revision) == col(PublicationRow.revision)),
        )
        .where(ArticleRow.story_id == story_id, ArticleRow.article_id != but_for)
        .order_by(col(PublicationRow.published_at).desc(), col(PublicationRow.event_id))
        .limit(MOST)
    )
    if before is not None:
        query = query.where(PublicationRow.published_at < before)
    return tuple(session.exec(query))
