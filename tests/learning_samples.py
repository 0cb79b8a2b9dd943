"""A database with stories that a curator has worked on, for the tests of training."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID, uuid5

from sqlalchemy import Engine
from sqlmodel import Session

from infra.newsroom.stories import Story, write_story
from schemas.records import ArticleRow, CorrectionRow

NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
PRESS = UUID("7f2b7c1e-26a5-4f0e-9f0b-1f5f3a0d9c11")


@cache
def tale(number: int) -> Story:
    """Story number so-and-so of the simulated press."""
    return write_story(11, number)


def article_row(number: int, *, revision: int = 1, story_id: UUID | None = None, allowed: bool = True) -> ArticleRow:
    """Article number so-and-so of the simulated press; each its own story unless told otherwise."""
    story = tale(number)
    url = f"https://ledger.example/articles/{number}"
    return ArticleRow(
        article_id=uuid5(PRESS, url),
        revision=revision,
        url=url,
        canonical_url=url,
        source="The Harbour Ledger",
        feed_url="https://ledger.example/feed.xml",
        headline=story.headline,
        text=story.text,
        language="en",
        published_at=NOW,
        fetched_at=NOW,
        content_hash="0" * 64,
        story_id=story_id or uuid5(PRESS, f"story {number}"),
        training_allowed=allowed,
        training_reason="" if allowed else "the site reserves text and data mining",
    )


def correction_row(article: ArticleRow, title: str, *, verdict: str = "corrected", minute: int = 0) -> CorrectionRow:
    """A curator's verdict on the article's title, so many minutes after `NOW`."""
    return CorrectionRow(
        correction_id=uuid5(article.article_id, f"{verdict} {title} {minute}"),
        title_id=uuid5(article.article_id, f"title {minute}"),
        article_id=article.article_id,
        revision=article.revision,
        story_id=article.story_id,
        verdict=verdict,
        title_before="A careless title",
        title_after="" if verdict == "spiked" else title,
        error_tags=[],
        curator="ann",
        seconds_spent=3.0,
        decided_at=NOW + timedelta(minutes=minute),
        model_version="v1",
        prompt_version="v3",
    )


def fill(engine: Engine, articles: int, corrections: int, *, first: int = 0) -> None:
    """So many articles; of the first ones so many are corrected to the house's title."""
    with Session(engine) as session:
        for number in range(first, first + articles):
            row = article_row(number)
            session.add(row)
            if number < first + corrections:
                session.add(correction_row(row, tale(number).house_title, minute=number))
        session.commit()
