"""The database on a real PostgreSQL: the contract, and what only a server can do."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import SecretStr
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import ProgrammingError
from sqlmodel import Session, select

from copydesk.explanation import explain
from infra.database import DatabaseUnusable, make_engine, migrate, transaction, upsert
from infra.settings import Settings
from schemas.envelope import Envelope
from schemas.errors import Invalid, Unavailable
from schemas.events import Article
from schemas.records import ArticleRow
from schemas.topics import ARTICLES
from tests.database_contract import DatabaseContract, adapter_row, put, stored
from tests.facts import NOON, Fact, article, content, envelope, forget, golden_facts, tell, told_twice
from tests.rebuild_contract import RebuildContract
from workers.archivist.archive import store
from workers.archivist.projection import project


@pytest.fixture
def blank(postgres_url: str) -> Iterator[Engine]:
    engine = make_engine(Settings(database_url=SecretStr(postgres_url)))
    yield engine
    engine.dispose()


@pytest.fixture
def engine(blank: Engine) -> Engine:
    migrate(blank)
    return blank


@pytest.fixture
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = make_engine(Settings(home=tmp_path_factory.mktemp("sqlite"), database_url=SecretStr("")))
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def impatient(engine: Engine) -> Iterator[Engine]:
    impatient = make_engine(Settings(database_url=SecretStr(engine.url.render_as_string(hide_password=False))))
    event.listen(impatient, "connect", lambda connection, _: connection.execute("SET lock_timeout = '100ms'"))
    yield impatient
    impatient.dispose()


class TestPostgres(DatabaseContract):
    """All of the contract."""


class TestRebuild(RebuildContract):
    """All of the contract."""


def test_several_that_migrate_at_once_do_not_disturb_each_other(postgres_url: str) -> None:
    complaints: list[Exception] = []
    start = threading.Barrier(4)

    def one_process() -> None:
        engine = make_engine(Settings(database_url=SecretStr(postgres_url)))
        start.wait()
        try:
            migrate(engine)
        except Exception as error:
            complaints.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=one_process) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert complaints == []


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(told=told_twice())
def test_any_facts_in_any_order_and_number_leave_the_rows_that_sqlite_has(
    engine: Engine, embedded: Engine, told: tuple[list[Fact], list[Fact]]
) -> None:
    for each, facts in zip((engine, embedded), told, strict=True):
        forget(each)
        tell(each, facts)
    assert content(engine) == content(embedded)


def test_the_golden_messages_leave_the_rows_that_sqlite_has(engine: Engine, embedded: Engine) -> None:
    shuffled = golden_facts() * 2
    random.Random(1).shuffle(shuffled)
    for each, facts in ((embedded, golden_facts()), (engine, shuffled)):
        for topic, opened in facts:
            store(each, project(topic, opened))
    assert content(engine) == content(embedded)


def test_a_text_too_long_for_its_index_is_invalid_and_not_waited_for(engine: Engine) -> None:
    endless = random.Random(1).randbytes(4000).hex()  # nothing that could be compressed
    hostile = article().model_copy(update={"source": endless})
    with pytest.raises(Invalid, match="does not fit into the database: index row"):
        store(engine, project(ARTICLES, envelope(hostile)))


def test_a_number_too_large_for_its_column_is_invalid(engine: Engine) -> None:
    with pytest.raises(Invalid, match="does not fit"):
        put(engine, adapter_row(sequence=2**40))


def test_a_table_that_is_missing_is_a_defect_and_not_waited_for(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE adapters"))
    with pytest.raises(ProgrammingError, match="does not exist"):
        put(engine, adapter_row())


def test_an_article_can_be_explained(engine: Engine) -> None:
    for topic, opened in golden_facts():
        store(engine, project(topic, opened))
    way = explain(engine, "f18b620e")
    assert [len(revision.titles) for revision in way.revisions] == [2, 0]
    assert way.revisions[0].titles[0].score is not None
    assert way.revisions[0].titles[0].score.violations[0].rule == "acronym"


def test_a_null_character_in_a_text_is_stored_as_a_replacement(engine: Engine) -> None:
    _, envelope = golden_facts()[0]
    assert isinstance(envelope.event, Article)
    hostile = envelope.event.model_copy(update={"text": "before\x00after", "revision": 9})
    store(engine, project(ARTICLES, Envelope(hostile, "id", "/copydesk/scraper", NOON, "")))
    with Session(engine) as session:
        assert session.exec(select(ArticleRow.text).where(ArticleRow.revision == 9)).one() == "before\ufffdafter"


def test_a_stored_time_comes_back_in_utc_whatever_the_servers_zone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER ROLE CURRENT_USER SET timezone = 'Asia/Tokyo'"))
    engine.dispose()
    put(engine, adapter_row())
    assert (stored(engine).decided_at, stored(engine).decided_at.tzinfo) == (NOON, UTC)


def test_a_lost_connection_is_waited_for_and_the_next_try_succeeds(engine: Engine) -> None:
    def lose_the_connection() -> None:
        with transaction(engine) as session:
            session.connection().execute(text("SELECT 1"))
            with engine.connect() as other:
                killing = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                other.execute(text(killing + " AND datname = current_database()"))
            upsert(session, adapter_row(), newest_by="decided_at")

    with pytest.raises(Unavailable):
        lose_the_connection()
    put(engine, adapter_row())
    assert stored(engine).actor == "somebody"


def test_a_server_that_is_away_is_explained_without_its_password() -> None:
    engine = make_engine(Settings(database_url=SecretStr("postgresql://desk:secret@127.0.0.1:1/copydesk")))
    with pytest.raises(DatabaseUnusable, match=r"cannot be used: .*refused") as caught:
        migrate(engine)
    assert "secret" not in str(caught.value)
