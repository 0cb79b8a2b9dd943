"""What tests/unit/infra/test_database.py says about SQLite, on a real PostgreSQL."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Engine, inspect, text
from sqlmodel import Session, SQLModel, select

from copydesk.explanation import explain
from infra import migrations
from infra.database import DatabaseUnusable, make_engine, migrate, transaction, upsert
from infra.settings import Settings
from schemas.envelope import Envelope, decode
from schemas.errors import Invalid, Transient
from schemas.events import Article
from schemas.golden import messages
from schemas.records import AdapterRow, ArticleRow, CorrectionRow, PublicationRow, ScoreRow, TitleRow
from schemas.topics import ARTICLES, TOPICS, Topic
from workers.archivist.archive import store
from workers.archivist.projection import project

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TABLES: tuple[type[SQLModel], ...] = (ArticleRow, TitleRow, ScoreRow, CorrectionRow, PublicationRow, AdapterRow)


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = make_engine(Settings(database_url=SecretStr(postgres_url)))
    migrate(engine)
    yield engine
    engine.dispose()


def adapter(**changes: object) -> AdapterRow:
    values = {
        "alias": "champion",
        "sequence": 1,
        "model_version": "v1",
        "prompt_version": "v1",
        "gate_verdict": "passed",
        "actor": "somebody",
        "reason": "the first",
        "previous_version": None,
        "decided_at": NOON,
    }
    return AdapterRow.model_validate(values | changes)


def facts() -> list[tuple[Topic, Envelope]]:
    """All golden messages, opened."""
    goldens = [(topic, golden) for topic in TOPICS for golden in messages(topic)]
    return [(topic, decode(golden.wire_value, golden.wire_headers)) for topic, golden in goldens]


def content(engine: Engine) -> list[list[str]]:
    with Session(engine) as session:
        return [sorted(row.model_dump_json() for row in session.exec(select(table))) for table in TABLES]


def test_the_migrations_make_exactly_the_tables_of_the_records(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_downgrading_drops_every_table_and_upgrading_brings_them_back(engine: Engine) -> None:
    with engine.begin() as connection:
        migrations.downgrade(connection)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    migrate(engine)
    assert set(SQLModel.metadata.tables) < set(inspect(engine).get_table_names())


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


def test_any_order_with_duplicates_leaves_the_same_rows_as_on_sqlite(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    embedded = make_engine(Settings(home=tmp_path_factory.mktemp("sqlite"), database_url=SecretStr("")))
    migrate(embedded)
    for topic, envelope in facts():
        store(embedded, project(topic, envelope))
    shuffled = facts() * 2
    random.Random(1).shuffle(shuffled)
    for topic, envelope in shuffled:
        store(engine, project(topic, envelope))
    assert content(engine) == content(embedded)
    embedded.dispose()


def test_an_article_can_be_explained(engine: Engine) -> None:
    for topic, envelope in facts():
        store(engine, project(topic, envelope))
    way = explain(engine, "f18b620e")
    assert [len(revision.titles) for revision in way.revisions] == [2, 0]
    assert way.revisions[0].titles[0].score is not None
    assert way.revisions[0].titles[0].score.violations[0].rule == "acronym"


def test_a_null_character_in_a_text_is_stored_as_a_replacement(engine: Engine) -> None:
    _, envelope = facts()[0]
    assert isinstance(envelope.event, Article)
    hostile = envelope.event.model_copy(update={"text": "before\x00after", "revision": 9})
    store(engine, project(ARTICLES, Envelope(hostile, "id", "/copydesk/scraper", NOON, "")))
    with Session(engine) as session:
        assert session.exec(select(ArticleRow.text).where(ArticleRow.revision == 9)).one() == "before\ufffdafter"


def test_a_stored_time_comes_back_in_utc_whatever_the_servers_zone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER ROLE CURRENT_USER SET timezone = 'Asia/Tokyo'"))
    engine.dispose()
    with transaction(engine) as session:
        upsert(session, adapter(decided_at=NOON.astimezone(timezone(timedelta(hours=-7)))), newest_by="decided_at")
    with Session(engine) as session:
        stored = session.exec(select(AdapterRow)).one().decided_at
    assert (stored, stored.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize("sequence", [2**40, 2**70])
def test_a_number_too_large_for_its_column_is_invalid(engine: Engine, sequence: int) -> None:
    with pytest.raises(Invalid, match="does not fit"), transaction(engine) as session:
        upsert(session, adapter(sequence=sequence), newest_by="decided_at")


def test_a_lost_connection_is_worth_another_try_which_succeeds(engine: Engine) -> None:
    def lose_the_connection() -> None:
        with transaction(engine) as session:
            session.connection().execute(text("SELECT 1"))
            with engine.connect() as other:
                killing = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                other.execute(text(killing + " AND datname = current_database()"))
            upsert(session, adapter(), newest_by="decided_at")

    with pytest.raises(Transient):
        lose_the_connection()
    with transaction(engine) as session:
        upsert(session, adapter(), newest_by="decided_at")
    with Session(engine) as session:
        assert session.exec(select(AdapterRow)).one().actor == "somebody"


def test_a_server_that_is_away_is_explained_without_its_password() -> None:
    engine = make_engine(Settings(database_url=SecretStr("postgresql://desk:secret@127.0.0.1:1/copydesk")))
    with pytest.raises(DatabaseUnusable, match=r"cannot be used: .*refused") as caught:
        migrate(engine)
    assert "secret" not in str(caught.value)
