"""The archivist: the same facts, in any order and any number, leave the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text
from sqlmodel import Session, SQLModel, select

from infra.database import make_engine, migrate
from infra.settings import Settings
from schemas.envelope import Envelope
from schemas.errors import Invalid, Transient
from schemas.events import Adapter, Article, Correction, Event, Origin, ScoredTitle, Title, Verdict, Violation
from schemas.records import ArticleRow, CorrectionRow, PublicationRow, ScoreRow, TitleRow
from schemas.topics import ADAPTERS, ARTICLES, CORRECTIONS, PUBLISHED, REVIEW, TITLES, Topic
from workers.archivist.archive import store
from workers.archivist.projection import project

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STORY = UUID(int=7)

Fact = tuple[Topic, Event, datetime]


def article(revision: int = 1, text: str = "The harbour opens on Monday.") -> Article:
    url = "https://press.example/harbour"
    return Article(
        article_id=Article.make_id(url),
        revision=revision,
        url=url + "?from=feed",
        canonical_url=url,
        source="press.example",
        feed_url="https://press.example/feed",
        headline="Harbour opens",
        text=text,
        language="en",
        published_at=None,
        fetched_at=NOON + timedelta(minutes=revision),
        content_hash=str(revision),
        story_id=STORY,
        training_allowed=True,
        training_reason="the site says nothing against it",
    )


def title(of: Article, text: str = "Harbour opens") -> Title:
    return Title.model_validate(
        {
            "title_id": Title.make_id(of.article_id, of.revision, "v1", "v1"),
            "article": of,
            "text": text,
            "raw": f"Title: {text}",
            "model_version": "v1",
            "base_model": "tiny",
            "adapter_digest": "sha256:00",
            "prompt_version": "v1",
            "shots": 0,
            "attempts": 1,
            "input_tokens": 90,
            "output_tokens": 4,
            "latency_seconds": 0.25,
            "cost_usd": 0.0,
        }
    )


def scored(of: Title, **changes: object) -> ScoredTitle:
    values: dict[str, object] = {
        "title_id": of.title_id,
        "article_id": of.article.article_id,
        "revision": of.article.revision,
        "story_id": STORY,
        "url": of.article.url,
        "source": of.article.source,
        "text": of.text,
        "origin": Origin.model,
        "verdict": None,
        "correction_id": None,
        "model_version": "v1",
        "prompt_version": "v1",
        "precision": 0.5,
        "recall": 0.25,
        "f1": 0.33,
        "scorer": "minilm",
        "evidence": "The harbour opens on Monday.",
        "violations": (Violation(rule="dull", reason="says little"),),
        "review_reasons": (),
        "audit": False,
    }
    return ScoredTitle.model_validate(values | changes)


def correction(of: Title) -> Correction:
    after = "The harbour opens to everybody on Monday"
    return Correction(
        correction_id=Correction.make_id(of.title_id, "ann", Verdict.corrected, after),
        title_id=of.title_id,
        article_id=of.article.article_id,
        revision=of.article.revision,
        story_id=STORY,
        verdict=Verdict.corrected,
        title_before=of.text,
        title_after=after,
        error_tags=("dull",),
        curator="ann",
        seconds_spent=12.5,
        decided_at=NOON + timedelta(hours=1),
        model_version="v1",
        prompt_version="v1",
    )


def adapter(sequence: int = 1) -> Adapter:
    return Adapter(
        alias="champion",
        sequence=sequence,
        model_version=f"v{sequence}",
        artefact_uri="file:///models/v1",
        digest="sha256:00",
        base_model="tiny",
        base_revision="main",
        prompt_version="v1",
        prompt_digest="sha256:01",
        gate_verdict="passed",
        actor="retrainer",
        reason="the gate agreed",
        previous_version=None,
        decided_at=NOON,
    )


def envelope(event: Event, time: datetime = NOON) -> Envelope:
    return Envelope(event=event, event_id=str(event.event_id), source="/copydesk/test", time=time, traceparent="")


def _history() -> tuple[Fact, ...]:
    first, revised = article(), article(2, "The harbour opens on Tuesday.")
    early, again = title(first), title(first, "Harbour!")  # written twice: the worker died before it could commit
    late = title(revised)
    verdict = correction(late)
    by_person = scored(
        late,
        origin="curator",
        verdict="corrected",
        text=verdict.title_after,
        correction_id=verdict.correction_id,
        review_reasons=(),
    )
    facts: list[tuple[Topic, Event]] = [
        (ARTICLES, first),
        (ARTICLES, revised),
        (TITLES, early),
        (TITLES, again),
        (TITLES, late),
        (REVIEW, scored(early, review_reasons=("dull",))),
        (PUBLISHED, scored(again)),
        (REVIEW, scored(late, review_reasons=("dull",))),
        (CORRECTIONS, verdict),
        (PUBLISHED, by_person),
        (ADAPTERS, adapter(1)),
        (ADAPTERS, adapter(2)),
    ]
    return tuple((topic, event, NOON + timedelta(seconds=number)) for number, (topic, event) in enumerate(facts))


HISTORY = _history()
TABLES: tuple[type[SQLModel], ...] = (ArticleRow, TitleRow, ScoreRow, CorrectionRow, PublicationRow)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = make_engine(Settings(home=tmp_path_factory.mktemp("archive"), database_url=SecretStr("")))
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def empty(engine: Engine) -> Engine:
    _forget(engine)
    return engine


def test_a_model_title_that_is_published_leaves_its_score_and_a_publication() -> None:
    rows = [each.row for each in project(PUBLISHED, envelope(scored(title(article()))))]
    assert [type(row) for row in rows] == [ScoreRow, PublicationRow]
    assert isinstance(rows[0], ScoreRow)
    assert (rows[0].decision, rows[0].violations) == ("publish", [{"rule": "dull", "reason": "says little"}])


def test_a_doubtful_title_leaves_its_score_with_the_reasons() -> None:
    (only,) = project(REVIEW, envelope(scored(title(article()), review_reasons=("dull",))))
    assert isinstance(only.row, ScoreRow)
    assert (only.row.decision, only.row.review_reasons, only.row.scored_at) == ("review", ["dull"], NOON)


@pytest.mark.parametrize(("origin", "verdict"), [("curator", "corrected"), ("model", "approved")])
def test_a_published_title_that_a_person_judged_does_not_touch_the_score(origin: str, verdict: str) -> None:
    (only,) = project(PUBLISHED, envelope(scored(title(article()), origin=origin, verdict=verdict)))
    assert isinstance(only.row, PublicationRow)
    assert (only.row.origin, only.row.verdict) == (origin, verdict)


def test_a_title_is_stored_without_its_article_and_with_the_time_of_its_envelope() -> None:
    (only,) = project(TITLES, envelope(title(article(2))))
    assert isinstance(only.row, TitleRow)
    assert (only.row.revision, only.row.story_id, only.row.written_at) == (2, STORY, NOON)


@pytest.mark.parametrize("topic", [ARTICLES, TITLES, PUBLISHED, REVIEW, CORRECTIONS])
def test_an_event_on_the_wrong_topic_is_invalid(topic: Topic) -> None:
    with pytest.raises(Invalid, match=rf"a copydesk.adapter.v1 does not belong on the topic '{topic.name}'"):
        project(topic, envelope(adapter()))


def test_a_null_character_is_replaced_because_postgresql_cannot_store_it() -> None:
    (only,) = project(ARTICLES, envelope(article(text="before\x00after")))
    assert isinstance(only.row, ArticleRow)
    assert only.row.text == "before�after"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(facts=st.permutations(HISTORY), repeated=st.lists(st.sampled_from(HISTORY), max_size=6))
def test_any_order_with_duplicates_leaves_the_same_rows(
    engine: Engine, facts: list[Fact], repeated: list[Fact]
) -> None:
    _forget(engine)
    _tell(engine, HISTORY)
    expected = _content(engine)
    _forget(engine)
    _tell(engine, [*facts, *repeated])
    assert _content(engine) == expected


def test_the_same_event_twice_is_the_event_once(empty: Engine) -> None:
    _tell(empty, [*HISTORY, *HISTORY])
    counts = {table.__name__: len(rows) for table, rows in zip(TABLES, _content(empty), strict=False)}
    assert counts == {"ArticleRow": 2, "TitleRow": 2, "ScoreRow": 2, "CorrectionRow": 1, "PublicationRow": 2}


def test_the_later_of_two_wordings_of_one_title_holds(empty: Engine) -> None:
    _tell(empty, reversed(HISTORY))
    with Session(empty) as session:
        assert session.exec(select(TitleRow.text).where(TitleRow.revision == 1)).one() == "Harbour!"
        assert session.exec(select(ScoreRow.decision).where(ScoreRow.revision == 1)).one() == "publish"


def test_several_writers_at_once_lose_nothing(empty: Engine) -> None:
    facts = [(ADAPTERS, adapter(sequence), NOON) for sequence in range(1, 201)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda fact: _tell(empty, [fact]), facts))
    with empty.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM adapters")).scalar() == 200


def test_a_database_that_is_locked_is_worth_another_try(empty: Engine) -> None:
    impatient = create_engine(empty.url, connect_args={"timeout": 0.01})
    with empty.connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(Transient):
            store(impatient, project(ARTICLES, envelope(article())))
    impatient.dispose()


def test_a_database_that_is_gone_is_worth_another_try(tmp_path: Path) -> None:
    away = create_engine(f"sqlite:///{tmp_path}/no/such/folder/copydesk.db")
    with pytest.raises(Transient, match="the file cannot be opened"):
        store(away, project(ARTICLES, envelope(article())))


def _tell(engine: Engine, facts: Iterator[Fact] | list[Fact] | tuple[Fact, ...]) -> None:
    for topic, event, time in facts:
        store(engine, project(topic, envelope(event, time)))


def _content(engine: Engine) -> list[list[str]]:
    """All rows of the projection's tables, in an order that does not depend on when they were written."""
    with Session(engine) as session:
        return [sorted(row.model_dump_json() for row in session.exec(select(table))) for table in TABLES]


def _forget(engine: Engine) -> None:
    with engine.begin() as connection:
        for name in ("articles", "titles", "scores", "corrections", "publications", "adapters"):
            connection.execute(text(f"DELETE FROM {name}"))
