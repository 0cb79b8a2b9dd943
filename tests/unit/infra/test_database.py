"""The database on SQLite; tests/integration has the same on PostgreSQL."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, select

from infra import migrations
from infra.database import DatabaseUnusable, make_engine, migrate, transaction, upsert
from infra.settings import Settings
from schemas.errors import Invalid, Transient
from schemas.records import AdapterRow, AliasRow

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = make_engine(Settings(home=tmp_path / "data", database_url=SecretStr("")))
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


def test_the_migrations_make_exactly_the_tables_of_the_records(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_a_missing_column_would_be_noticed(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("ALTER TABLE corrections DROP COLUMN note"))
        differences = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    assert [difference[0] for difference in differences] == ["add_column"]


def test_downgrading_drops_every_table_and_upgrading_brings_them_back(engine: Engine) -> None:
    with engine.begin() as connection:
        migrations.downgrade(connection)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    migrate(engine)
    assert set(SQLModel.metadata.tables) < set(inspect(engine).get_table_names())


def test_a_migration_that_breaks_off_leaves_nothing_half_done(tmp_path: Path) -> None:
    engine = make_engine(Settings(home=tmp_path, database_url=SecretStr("")))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE titles (in_the_way INTEGER)"))
    with pytest.raises(DatabaseUnusable, match="titles"):
        migrate(engine)
    assert inspect(engine).get_table_names() == ["titles"]


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    with transaction(engine) as session:
        upsert(session, adapter(), newest_by="decided_at")
    migrate(engine)
    with Session(engine) as session:
        assert session.exec(select(AdapterRow)).one().reason == "the first"


def test_processes_that_migrate_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from infra.settings import Settings\n"
        "from infra.database import make_engine, migrate\n"
        "sys.stdin.read(); migrate(make_engine(Settings(home=Path(sys.argv[1]), database_url='')))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    complaints = [process.communicate(timeout=200)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, complaints


def test_sqlite_writes_ahead_and_checks_foreign_keys(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_data_folder_that_cannot_be_made_is_explained() -> None:
    with pytest.raises(DatabaseUnusable, match=r"the data folder /proc/copydesk cannot be made: .+"):
        make_engine(Settings(home=Path("/proc/copydesk"), database_url=SecretStr("")))


def test_a_read_only_database_is_explained(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "empty.db").close()
    address = f"sqlite:///file:{tmp_path}/empty.db?mode=ro&uri=true"
    with pytest.raises(DatabaseUnusable, match="it is read-only; give it write access or name another folder"):
        migrate(create_engine(address))


def test_a_full_disk_is_explained_and_worth_another_try(engine: Engine) -> None:
    def write_beyond_the_last_page() -> None:
        with transaction(engine) as session:
            pages = session.connection().execute(text("PRAGMA page_count")).scalar()
            session.connection().execute(text(f"PRAGMA max_page_count = {pages}"))
            upsert(session, adapter(reason="x" * 1_000_000), newest_by="decided_at")

    with pytest.raises(Transient, match="the disk is full; free some space"):
        write_beyond_the_last_page()


def test_a_locked_database_is_worth_another_try(engine: Engine) -> None:
    impatient = create_engine(engine.url, connect_args={"timeout": 0.01})
    with engine.connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(Transient, match="another process has been writing"), transaction(impatient) as session:
            upsert(session, adapter(), newest_by="decided_at")


@pytest.mark.parametrize(
    "changes",
    [{"sequence": 2**70}, {"decided_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}],
    ids=["a number over 64 bits", "a time before the year 1 in UTC"],
)
def test_a_value_that_does_not_fit_is_invalid(engine: Engine, changes: dict[str, object]) -> None:
    with pytest.raises(Invalid, match="does not fit"), transaction(engine) as session:
        upsert(session, adapter(**changes), newest_by="decided_at")


def test_a_defect_is_not_mistaken_for_trouble_that_passes(engine: Engine) -> None:
    with pytest.raises(IntegrityError), transaction(engine) as session:
        session.add(AliasRow(alias="champion", version="never registered", sequence=1))


def test_a_data_folder_of_a_newer_version_is_explained(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnusable, match="made by a newer version of Copydesk"):
        migrate(engine)


@pytest.mark.parametrize("address", ["mysql://host/name", "not an address"])
def test_an_address_we_cannot_use_is_explained(address: str) -> None:
    with pytest.raises(DatabaseUnusable, match=r"(?i)postgresql"):
        make_engine(Settings(database_url=SecretStr(address)))


def test_a_message_about_the_database_keeps_its_password_to_itself() -> None:
    engine = make_engine(Settings(database_url=SecretStr("postgresql://desk:secret@127.0.0.1:1/copydesk")))
    with pytest.raises(DatabaseUnusable) as caught:
        migrate(engine)
    assert "secret" not in str(caught.value)


def test_the_newer_row_wins_whichever_comes_first(engine: Engine) -> None:
    older, newer = adapter(reason="older"), adapter(reason="newer", decided_at=NOON + timedelta(seconds=1))
    for order in ((older, newer), (newer, older)):
        with transaction(engine) as session:
            for row in order:
                upsert(session, row, newest_by="decided_at")
        with Session(engine) as session:
            assert session.exec(select(AdapterRow)).one().reason == "newer"


def test_a_stored_time_comes_back_in_utc(engine: Engine) -> None:
    in_tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    with transaction(engine) as session:
        upsert(session, adapter(decided_at=in_tokyo), newest_by="decided_at")
    with Session(engine) as session:
        stored = session.exec(select(AdapterRow)).one().decided_at
    assert (stored, stored.tzinfo) == (NOON, UTC)
