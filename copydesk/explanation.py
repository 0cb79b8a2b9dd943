"""The whole way of one article, put together from the read model and the training tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime
from typing import Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, col, or_, select

from schemas.errors import Mendable
from schemas.records import (
    ArticleRow,
    CorrectionRow,
    PublicationRow,
    ScoreRow,
    TitleRow,
    TrainingExampleRow,
    TrainingRunRow,
)

SHORTEST_PREFIX = 4
Row = TypeVar("Row", bound=SQLModel)


class Unclear(Mendable):
    """No article, or more than one, goes by that name; the message says which."""


class Part(BaseModel):
    """A piece of an explanation, made from the fields of a row that has the same names."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def of(cls, row: SQLModel, **more: object) -> Self:
        """From a row, with `more` that other tables know."""
        return cls.model_validate({**row.model_dump(), **more})


class Training(Part):
    """A training run that used a correction; `split` says on which side, or why on neither."""

    run_id: UUID
    split: str
    state: str
    model_version: str
    started_at: datetime


class Judgement(Part):
    """What a curator said about a title, and which trainings learned from it."""

    correction_id: UUID
    verdict: str
    title_before: str
    title_after: str
    error_tags: tuple[str, ...]
    curator: str
    seconds_spent: float
    decided_at: datetime
    note: str
    trainings: tuple[Training, ...]


class BrokenRule(Part):
    """A house rule that the title breaks."""

    rule: str
    reason: str


class Score(Part):
    """What the scorer said; `decision` is `publish` or `review`."""

    decision: str
    precision: float | None
    recall: float | None
    f1: float | None
    scorer: str
    evidence: str
    violations: tuple[BrokenRule, ...]
    review_reasons: tuple[str, ...]
    audit: bool
    scored_at: datetime


class Publication(Part):
    """A wording that went out to other services."""

    text: str
    origin: str
    verdict: str | None
    published_at: datetime


class TitleWay(Part):
    """A title from the model to the reader."""

    title_id: UUID
    text: str
    model_version: str
    base_model: str
    prompt_version: str
    shots: int
    attempts: int
    input_tokens: int
    output_tokens: int
    latency_seconds: float
    cost_usd: float
    written_at: datetime
    score: Score | None
    judgements: tuple[Judgement, ...]
    publications: tuple[Publication, ...]


class Revision(Part):
    """One state of the article's text, and the titles written for it."""

    revision: int
    url: str
    headline: str
    characters: int
    published_at: datetime | None
    fetched_at: datetime
    training_allowed: bool
    training_reason: str
    titles: tuple[TitleWay, ...]


class Namesake(Part):
    """Another publisher's article on the same story."""

    article_id: UUID
    source: str
    headline: str
    url: str


class Explanation(Part):
    """Where an article came from and all that was done with it, oldest first."""

    article_id: UUID
    story_id: UUID
    source: str
    feed_url: str
    canonical_url: str
    language: str
    revisions: tuple[Revision, ...]
    same_story: tuple[Namesake, ...]


def explain(engine: Engine, name: str | UUID) -> Explanation:
    """Everything about the article with this id, this unique beginning of an id, or this address. Raises `Unclear`."""
    with Session(engine) as session:
        article_id = find(session, str(name))
        states = _rows(session, ArticleRow, ArticleRow.article_id == article_id, ArticleRow.revision)
        titles = _titles(session, article_id)
        newest = states[-1]
        others = _rows(session, ArticleRow, ArticleRow.story_id == newest.story_id, ArticleRow.fetched_at)
    revisions = [Revision.of(state, characters=len(state.text), titles=titles[state.revision]) for state in states]
    namesakes = {row.article_id: Namesake.of(row) for row in others if row.article_id != article_id}
    return Explanation.of(newest, revisions=revisions, same_story=tuple(namesakes.values()))


def find(session: Session, name: str) -> UUID:
    """The one article that goes by `name`: its id, the beginning of it, or its address. Raises `Unclear`."""
    digits = name.strip().lower().replace("-", "")
    if "://" in name:
        condition = or_(col(ArticleRow.url) == name.strip(), col(ArticleRow.canonical_url) == name.strip())
    elif SHORTEST_PREFIX <= len(digits) <= 32 and set(digits) <= set("0123456789abcdef"):
        condition = col(ArticleRow.article_id).between(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f")))
    else:
        raise Unclear(f"{name!r} is neither an address nor at least {SHORTEST_PREFIX} characters of an article's id")
    found = session.exec(select(ArticleRow.article_id).where(condition).distinct().limit(6)).all()
    if len(found) == 1:
        return found[0]
    if not found:
        raise Unclear(f"no article {name!r} has arrived in the database")
    candidates = ", ".join(str(article_id) for article_id in found[:5]) + (", …" if len(found) > 5 else "")
    raise Unclear(f"{name!r} may be several articles: {candidates}")


def _titles(session: Session, article_id: UUID) -> dict[int, tuple[TitleWay, ...]]:
    """The article's titles by revision."""
    scores = _rows(session, ScoreRow, ScoreRow.article_id == article_id, ScoreRow.scored_at)
    score_of = {row.title_id: Score.of(row) for row in scores}
    trainings = _trainings(session, article_id)
    verdicts = _rows(session, CorrectionRow, CorrectionRow.article_id == article_id, CorrectionRow.decided_at)
    judgements = _grouped((row.title_id, Judgement.of(row, trainings=trainings[row.correction_id])) for row in verdicts)
    went_out = _rows(session, PublicationRow, PublicationRow.article_id == article_id, PublicationRow.published_at)
    publications = _grouped((row.title_id, Publication.of(row)) for row in went_out)
    written = _rows(session, TitleRow, TitleRow.article_id == article_id, TitleRow.written_at)
    return _grouped(
        (
            row.revision,
            TitleWay.of(
                row,
                score=score_of.get(row.title_id),
                judgements=judgements[row.title_id],
                publications=publications[row.title_id],
            ),
        )
        for row in written
    )


def _trainings(session: Session, article_id: UUID) -> dict[UUID, tuple[Training, ...]]:
    """The runs that used the article, by correction."""
    statement = (
        select(TrainingExampleRow, TrainingRunRow)
        .join(TrainingRunRow, col(TrainingExampleRow.run_id) == col(TrainingRunRow.run_id))
        .where(TrainingExampleRow.article_id == article_id)
        .order_by(col(TrainingRunRow.started_at))
    )
    return _grouped(
        (example.correction_id, Training.of(run, split=example.split)) for example, run in session.exec(statement)
    )


def _rows(session: Session, table: type[Row], condition: bool, order: object) -> Sequence[Row]:
    return session.exec(select(table).where(condition).order_by(order)).all()  # type: ignore[arg-type]


Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


def _grouped(pairs: Iterable[tuple[Key, Item]]) -> dict[Key, tuple[Item, ...]]:
    """The items by key, in their order; a key that is not there has none."""
    groups: dict[Key, tuple[Item, ...]] = defaultdict(tuple)
    for key, item in pairs:
        groups[key] += (item,)
    return groups
