"""What curators have decided about titles, with the articles: examples for prompts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import col, select

from infra.database import transaction
from schemas.records import ArticleRow, CorrectionRow


def read_curated(engine: Engine, since: datetime | None, limit: int) -> list[tuple[CorrectionRow, ArticleRow]]:
    """The newest `limit` verdicts since then, the oldest first, over articles that may be learned from.

    Raises `Unavailable` while the database is away.
    """
    query = (
        select(CorrectionRow, ArticleRow)
        .join(
            ArticleRow,
            (col(ArticleRow.article_id) == col(CorrectionRow.article_id))
            & (col(ArticleRow.revision) == col(CorrectionRow.revision)),
        )
        .where(col(ArticleRow.training_allowed).is_(True))
        .order_by(col(CorrectionRow.decided_at).desc(), col(CorrectionRow.correction_id))
        .limit(limit)
    )
    if since is not None:
        query = query.where(col(CorrectionRow.decided_at) >= since)
    with transaction(engine) as session:
        return list(reversed(session.exec(query).all()))
