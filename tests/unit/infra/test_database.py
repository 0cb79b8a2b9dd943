"""The database on SQLite: the contract, and what only a file can do."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import SQLModel

from infra.database import DatabaseUnusable, make_engine, migrate, transaction, upsert
from infra.settings import Settings
from schemas.errors import Unavailable
from schemas.records import AliasRow
from tests.database_contract import DatabaseContract, adapter_row, put, stored


@pytest.fixture
def blank(tmp_path: Path) -> Iterator[Engine]:
    engine = make_engine(Settings(home=tmp_path / "blank", database_url=SecretStr("")))
    yield engine
    engine.dispose()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = make_engine(Settings(home=tmp_path / "data", database_url=SecretStr("")))
    migrate(engine)
    yield engine
    engine.dispose()


class TestSqlite(DatabaseContract):
    """All of the contract."""


def test_a_missing_column_would_be_noticed(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("ALTER TABLE corrections DROP COLUMN note"))
        differences = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    assert [difference[0] for difference in differences] == ["add_column"]


def test_a_migration_that_breaks_off_leaves_nothing_half_done(tmp_path: Path) -> None:
    engine = make_engine(Settings(home=tmp_path, database_url=SecretStr("")))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE titles (in_the_way INTEGER)"))
    with pytest.raises(DatabaseUnusable, match="titles"):
        migrate(engine)
    assert inspect(engine).get_table_names() == ["titles"]


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    put(engine, adapter_row())
    migrate(engine)
    assert stored(engine).reason == "the first"


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


def test_a_full_disk_is_explained_and_waited_for(engine: Engine) -> None:
    def write_beyond_the_last_page() -> None:
        with transaction(engine) as session:
            pages = session.connection().execute(text("PRAGMA page_count")).scalar()
            session.connection().execute(text(f"PRAGMA max_page_count = {pages}"))
            upsert(session, adapter_row(reason="x" * 1_000_000), newest_by="decided_at")

    with pytest.raises(Unavailable, match="the disk is full; free some space"):
        write_beyond_the_last_page()


def test_a_locked_database_is_waited_for(engine: Engine) -> None:
    impatient = create_engine(engine.url, connect_args={"timeout": 0.01})
    with engine.connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="another process has been writing"):
            put(impatient, adapter_row())


def test_a_defect_is_not_mistaken_for_trouble_that_passes(engine: Engine) -> None:
    with pytest.raises(IntegrityError), transaction(engine) as session:
        session.add(AliasRow(alias="champion", version="never registered", sequence=1))


def test_a_table_that_is_missing_is_a_defect_and_not_waited_for(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE adapters"))
    with pytest.raises(OperationalError, match="no such table"):
        put(engine, adapter_row())


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
