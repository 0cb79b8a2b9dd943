"""One article's history as events, any number of histories as a strategy, and what they leave in the tables."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from sqlalchemy import Engine, delete
from sqlmodel import Session, SQLModel, select

from schemas.envelope import Envelope, decode
from schemas.events import Adapter, Article, Correction, Event, Origin, ScoredTitle, Title, Verdict, Violation
from schemas.golden import messages
from schemas.topics import ADAPTERS, ARTICLES, CORRECTIONS, PUBLISHED, REVIEW, TITLES, TOPICS, Topic
from workers.archivist.archive import store
from workers.archivist.projection import PARTS, project

TABLES: tuple[type[SQLModel], ...] = tuple(table for part in PARTS for table in part.tables)

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


def adapter(sequence: int = 1, reason: str = "the gate agreed") -> Adapter:
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
        reason=reason,
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


def some_facts() -> st.SearchStrategy[list[Fact]]:
    """Facts that get in each other's way: few ids, fewer moments, and other words with each."""
    texts = st.sampled_from(["Harbour opens", "Harbour!", "Harbour", ""])
    moments = st.sampled_from([NOON, NOON + timedelta(seconds=1)])
    revisions = st.integers(1, 2)

    def fact(topic: Topic, event: st.SearchStrategy[Any]) -> st.SearchStrategy[Fact]:
        return st.tuples(st.just(topic), event, moments)

    titles = st.builds(title, st.builds(article, revisions), texts)
    judged = st.builds(scored, titles, precision=st.sampled_from([0.5, 0.25, None]), audit=st.booleans())
    approved = st.builds(scored, titles, origin=st.just("curator"), verdict=st.just("approved"))
    return st.lists(
        st.one_of(
            fact(ARTICLES, st.builds(article, revisions, st.sampled_from(["One text.", "Another."]))),
            fact(TITLES, titles),
            fact(REVIEW, judged),
            fact(PUBLISHED, judged | approved),
            fact(CORRECTIONS, st.builds(correction, titles)),
            fact(ADAPTERS, st.builds(adapter, revisions, texts)),
        ),
        max_size=12,
    )


@st.composite
def told_twice(draw: st.DrawFn) -> tuple[list[Fact], list[Fact]]:
    """Facts, and the same facts in any order and any number."""
    facts = draw(some_facts())
    repeated = draw(st.lists(st.sampled_from(facts), max_size=6)) if facts else []
    return facts, draw(st.permutations([*facts, *repeated]))


def golden_facts() -> list[tuple[Topic, Envelope]]:
    """All golden messages, opened."""
    goldens = [(topic, golden) for topic in TOPICS for golden in messages(topic)]
    return [(topic, decode(golden.wire_value, golden.wire_headers)) for topic, golden in goldens]


def tell(engine: Engine, facts: Iterable[Fact]) -> None:
    """Let the archivist store them, in this order."""
    for topic, event, time in facts:
        store(engine, project(topic, envelope(event, time)))


def content(engine: Engine) -> dict[str, list[str]]:
    """All rows of the read model by table, in an order that does not depend on when they were written."""
    with Session(engine) as session:
        return {
            str(table.__tablename__): sorted(row.model_dump_json() for row in session.exec(select(table)))
            for table in TABLES
        }


def forget(engine: Engine) -> None:
    """Empty the read model."""
    with engine.begin() as connection:
        for table in TABLES:
            connection.execute(delete(table))
