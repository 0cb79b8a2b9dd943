"""What the database promises on SQLite and on PostgreSQL alike; each says it of itself by a class of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine, inspect
from sqlmodel import Session, SQLModel, select

from infra import migrations
from infra.database import migrate, transaction, upsert
from schemas.errors import Invalid
from schemas.records import AdapterRow
from tests.facts import NOON, Fact, content, forget, tell, told_twice


def adapter_row(**changes: object) -> AdapterRow:
    """A row of the smallest table of the read model."""
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


def put(engine: Engine, *rows: AdapterRow) -> None:
    """Store rows in one transaction."""
    with transaction(engine) as session:
        for row in rows:
            upsert(session, row, newest_by="decided_at")


def stored(engine: Engine) -> AdapterRow:
    """The one row that is there."""
    with Session(engine) as session:
        return session.exec(select(AdapterRow)).one()


def shape(engine: Engine) -> dict[str, object]:
    """Every table with its columns, keys and indexes, as the database itself tells them."""
    tables = inspect(engine)
    return {
        name: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in tables.get_columns(name)
            ],
            "key": tables.get_pk_constraint(name)["constrained_columns"],
            "points at": sorted(
                (key["constrained_columns"], key["referred_table"], key["referred_columns"])
                for key in tables.get_foreign_keys(name)
            ),
            "indexes": sorted((str(index["name"]), str(index["column_names"])) for index in tables.get_indexes(name)),
        }
        for name in tables.get_table_names()
        if name != "alembic_version"
    }


class DatabaseContract:
    """Needs two fixtures: `engine`, migrated, and `blank`, an empty database."""

    def test_the_migrations_make_exactly_the_tables_of_the_records(self, engine: Engine) -> None:
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []

    def test_every_migration_goes_up_down_and_up_again_to_the_same_tables(self, blank: Engine) -> None:
        before = "base"
        for revision in migrations.revisions():
            below = shape(blank)
            with blank.begin() as connection:
                migrations.upgrade(connection, revision)
            above = shape(blank)
            assert above != below
            with blank.begin() as connection:
                migrations.downgrade(connection, before)
            assert shape(blank) == below
            with blank.begin() as connection:
                migrations.upgrade(connection, revision)
            assert shape(blank) == above
            before = revision
        assert set(shape(blank)) == set(SQLModel.metadata.tables)

    def test_downgrading_drops_every_table_and_migrating_brings_them_back(self, engine: Engine) -> None:
        whole = shape(engine)
        with engine.begin() as connection:
            migrations.downgrade(connection)
        assert inspect(engine).get_table_names() == ["alembic_version"]
        migrate(engine)
        assert shape(engine) == whole

    def test_the_newer_row_wins_whichever_comes_first(self, engine: Engine) -> None:
        older, newer = adapter_row(reason="older"), adapter_row(reason="newer", decided_at=NOON + timedelta(seconds=1))
        for order in ((older, newer), (newer, older)):
            put(engine, *order)
            assert stored(engine).reason == "newer"

    def test_of_two_rows_equally_new_the_same_one_wins_whichever_comes_first(self, engine: Engine) -> None:
        in_tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
        pair = adapter_row(reason="a"), adapter_row(reason="b", previous_version="v0", decided_at=in_tokyo)
        winners = []
        for order in (pair, pair[::-1]):
            forget(engine)
            put(engine, *order)
            winners.append(stored(engine).model_dump())
        assert winners[0] == winners[1]

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,  # two classes inherit it, and each is run on its own database
        ],
    )
    @given(told=told_twice())
    def test_any_facts_in_any_order_and_number_leave_the_same_rows(
        self, engine: Engine, told: tuple[list[Fact], list[Fact]]
    ) -> None:
        in_order, shuffled = told
        forget(engine)
        tell(engine, in_order)
        expected = content(engine)
        forget(engine)
        tell(engine, shuffled)
        assert content(engine) == expected

    def test_a_stored_time_comes_back_in_utc(self, engine: Engine) -> None:
        put(engine, adapter_row(decided_at=NOON.astimezone(timezone(timedelta(hours=-7)))))
        assert (stored(engine).decided_at, stored(engine).decided_at.tzinfo) == (NOON, UTC)

    @pytest.mark.parametrize(
        "changes",
        [{"sequence": 2**70}, {"decided_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}],
        ids=["a number over 64 bits", "a time before the year 1 in UTC"],
    )
    def test_a_value_that_does_not_fit_is_invalid(self, engine: Engine, changes: dict[str, object]) -> None:
        with pytest.raises(Invalid, match="does not fit"):
            put(engine, adapter_row(**changes))
