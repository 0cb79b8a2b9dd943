"""From a fact to the rows it leaves in the read model. Pure: the same event always gives the same rows.

| topic       | event                          | rows                                                              |
|-------------|--------------------------------|-------------------------------------------------------------------|
| articles    | Article                        | ArticleRow                                                        |
| titles      | Title                          | TitleRow                                                          |
| review      | ScoredTitle                    | ScoreRow, decision `review`                                       |
| published   | ScoredTitle without a verdict  | ScoreRow, decision `publish`, and PublicationRow                  |
| published   | ScoredTitle with a verdict     | PublicationRow only: a person's word must not hide what the scorer |
|             |                                | said about the model's title                                      |
| corrections | Correction                     | CorrectionRow                                                     |
| adapters    | Adapter                        | AdapterRow                                                        |
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import SQLModel

from schemas.envelope import Envelope
from schemas.errors import Invalid
from schemas.events import Adapter, Article, Correction, Event, ScoredTitle, Title
from schemas.records import AdapterRow, ArticleRow, CorrectionRow, PublicationRow, ScoreRow, TitleRow
from schemas.topics import ADAPTERS, ARTICLES, CORRECTIONS, PUBLISHED, REVIEW, TITLES, Topic


@dataclass(frozen=True)
class Part:
    """Topics, and the tables that they and nothing else fill: can be made again without the rest of the read model."""

    topics: tuple[Topic, ...]
    tables: tuple[type[SQLModel], ...]


PARTS: tuple[Part, ...] = (
    Part((ARTICLES,), (ArticleRow,)),
    Part((TITLES,), (TitleRow,)),
    Part((REVIEW, PUBLISHED), (ScoreRow, PublicationRow)),
    Part((CORRECTIONS,), (CorrectionRow,)),
    Part((ADAPTERS,), (AdapterRow,)),
)
"""The whole projection; no other table is made from topics."""


@dataclass(frozen=True)
class Upsert:
    """A row to store, and the column that tells which of two rows with the same primary key is the newer one."""

    row: SQLModel
    newest_by: str


def project(topic: Topic, envelope: Envelope) -> tuple[Upsert, ...]:
    """The rows an event on `topic` leaves. Raises `Invalid` for an event that does not belong on the topic."""
    event = envelope.event
    if isinstance(event, topic.event):
        match event:
            case Article():
                return (Upsert(_row(ArticleRow, event), newest_by="fetched_at"),)
            case Title():
                return (_title(event, envelope.time),)
            case ScoredTitle() if topic is REVIEW:
                return (_score(event, "review", envelope.time),)
            case ScoredTitle(verdict=None):
                return _score(event, "publish", envelope.time), _publication(event, envelope.time)
            case ScoredTitle():
                return (_publication(event, envelope.time),)
            case Correction():
                return (Upsert(_row(CorrectionRow, event), newest_by="decided_at"),)
            case Adapter():
                return (Upsert(_row(AdapterRow, event), newest_by="decided_at"),)
    raise Invalid(f"a {event.type_name} does not belong on the topic {topic.name!r}")


def _title(event: Title, written_at: datetime) -> Upsert:
    article = event.article
    of_article = {"article_id": article.article_id, "revision": article.revision, "story_id": article.story_id}
    return Upsert(_row(TitleRow, event, **of_article, written_at=written_at), newest_by="written_at")


def _score(event: ScoredTitle, decision: str, scored_at: datetime) -> Upsert:
    return Upsert(_row(ScoreRow, event, decision=decision, scored_at=scored_at), newest_by="scored_at")


def _publication(event: ScoredTitle, published_at: datetime) -> Upsert:
    row = _row(PublicationRow, event, event_id=event.event_id, published_at=published_at)
    return Upsert(row, newest_by="published_at")


def _row(table: type[SQLModel], event: Event, **more: object) -> SQLModel:
    """The event's fields that the table has, and `more`. PostgreSQL cannot store U+0000: it becomes U+FFFD in both."""
    return table.model_validate(_storable({**event.model_dump(), **more}))


def _storable(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {key: _storable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(item) for item in value]
    return value
