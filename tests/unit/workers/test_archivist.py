"""The archivist: the same facts, in any order and any number, leave the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text
from sqlmodel import Session, select

from infra.database import make_engine, migrate
from infra.settings import Settings
from schemas.errors import Invalid, Unavailable
from schemas.events import Event
from schemas.records import ArticleRow, PublicationRow, ScoreRow, TitleRow
from schemas.topics import ADAPTERS, ARTICLES, CORRECTIONS, PUBLISHED, REVIEW, TITLES, Topic
from tests.facts import HISTORY, NOON, STORY, adapter, article, content, envelope, forget, scored, tell, title
from workers.archivist.archive import store
from workers.archivist.projection import PARTS, project
from workers.archivist.worker import lane


class NoOutlet:
    """The archivist sends nothing."""

    async def send(self, topic: Topic, event: Event) -> None:
        raise AssertionError


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = make_engine(Settings(home=tmp_path_factory.mktemp("archive"), database_url=SecretStr("")))
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def empty(engine: Engine) -> Engine:
    forget(engine)
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


def test_every_table_that_a_topic_fills_is_declared() -> None:
    filled = {
        (topic.name, type(each.row)) for topic, event, time in HISTORY for each in project(topic, envelope(event))
    }
    declared = {(topic.name, table) for part in PARTS for topic in part.topics for table in part.tables}
    assert filled == declared - {(REVIEW.name, PublicationRow)}


def test_the_same_event_twice_is_the_event_once(empty: Engine) -> None:
    tell(empty, [*HISTORY, *HISTORY])
    counts = {table: len(rows) for table, rows in content(empty).items()}
    assert counts == {"articles": 2, "titles": 2, "scores": 2, "publications": 2, "corrections": 1, "adapters": 2}


def test_the_later_of_two_wordings_of_one_title_holds(empty: Engine) -> None:
    tell(empty, reversed(HISTORY))
    with Session(empty) as session:
        assert session.exec(select(TitleRow.text).where(TitleRow.revision == 1)).one() == "Harbour!"
        assert session.exec(select(ScoreRow.decision).where(ScoreRow.revision == 1)).one() == "publish"


def test_several_writers_at_once_lose_nothing(empty: Engine) -> None:
    facts = [(ADAPTERS, adapter(sequence), NOON) for sequence in range(1, 201)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda fact: tell(empty, [fact]), facts))
    with empty.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM adapters")).scalar() == 200


def test_a_database_that_is_locked_is_waited_for(empty: Engine) -> None:
    impatient = create_engine(empty.url, connect_args={"timeout": 0.01})
    with empty.connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            store(impatient, project(ARTICLES, envelope(article())))
    impatient.dispose()


async def test_a_database_that_does_not_answer_is_waited_for_and_no_message_is_to_blame(empty: Engine) -> None:
    with empty.connect() as holder, ThreadPoolExecutor(1) as executor:
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match=r"has not answered for 0\.1 s"):
            await lane(ARTICLES, empty, executor, patience_s=0.1).handle(envelope(article()), NoOutlet())
        holder.rollback()


def test_a_database_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    away = create_engine(f"sqlite:///{tmp_path}/no/such/folder/copydesk.db")
    with pytest.raises(Unavailable, match="the file cannot be opened"):
        store(away, project(ARTICLES, envelope(article())))
