"""The database: SQLite in the data folder, or PostgreSQL. Engines, migrations, upserts, and what a failure means.

SQLite has several writing processes here: WAL, a busy timeout, short transactions, each table with one owner.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from sqlite3 import OperationalError as SqliteOperationalError

from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, OperationalError, StatementError
from sqlmodel import Session, SQLModel

from infra import migrations
from infra.settings import Settings
from schemas.errors import Invalid, Mendable, Unavailable

BUSY_TIMEOUT_S = 30.0
SQLITE_TROUBLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
POSTGRES_TROUBLE = frozenset({"08", "28", "40", "53", "55", "57", "58"})
"""Classes of SQLSTATE: connection, credentials, rollback, resources, locks, intervention, system."""
POSTGRES_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Without them libpq waits for a host that has vanished until the kernel gives up, many minutes later."""
_MIGRATION_LOCK = 0x636F7079  # any number, the same in every process: PostgreSQL's advisory lock for migrations


class DatabaseUnusable(Mendable):
    """The database cannot be used as it is; the message says why and what a person can do about it."""


def make_engine(settings: Settings) -> Engine:
    """The engine for `settings.database`; nothing is opened yet.

    Raises `DatabaseUnusable` for an address we do not understand or a data folder that cannot be made.
    """
    try:
        url = make_url(settings.database.get_secret_value())
    except (ArgumentError, ValueError):  # the exception repeats the address
        raise DatabaseUnusable("COPYDESK_DATABASE_URL is not a database address; try postgresql://…") from None
    if "password" in url.query:  # libpq takes it there, too, but there it would show in messages
        raise DatabaseUnusable("COPYDESK_DATABASE_URL: the password belongs in COPYDESK_DATABASE_PASSWORD")
    if url.get_backend_name() in ("postgresql", "postgres"):
        if settings.database_password.get_secret_value():
            url = url.set(password=settings.database_password.get_secret_value())
        patience = {name: limit for name, limit in POSTGRES_PATIENCE.items() if name not in url.query}
        return create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, connect_args=patience)
    if url.get_backend_name() != "sqlite":
        raise DatabaseUnusable(f"Copydesk stores in SQLite or PostgreSQL, not in {url.get_backend_name()!r}")
    return _sqlite_engine(url)


def migrate(engine: Engine) -> None:
    """Bring the tables up to date. Safe when several processes call it at once; returns at once when nothing is to do.

    Raises `DatabaseUnusable` when the file is read-only, the disk full, the server away, or the tables newer than we.
    """
    try:
        with engine.connect() as connection:
            if migrations.current(connection) == migrations.head():
                return
            connection.rollback()
            _lock_for_migration(connection)
            migrations.upgrade(connection)
            connection.commit()
    except migrations.UnknownRevision as error:
        raise DatabaseUnusable(
            f"{_place(engine)} was made by a newer version of Copydesk: install that one, or use another data folder"
        ) from error
    except OperationalError as error:
        raise DatabaseUnusable(f"{_place(engine)} cannot be used: {_in_words(error)}") from error


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """A session that commits at the end; its rows stay readable. Trouble becomes a verdict as in `verdicts`."""
    with verdicts(engine), Session(engine, expire_on_commit=False) as session:
        yield session
        session.commit()


@contextmanager
def verdicts(engine: Engine) -> Iterator[None]:
    """What the database complains about inside the block, as a verdict on the values at hand.

    `Unavailable` when it is away, locked or full: no value is to blame. `Invalid` when a value does not fit. Anything
    else is a defect and comes through.
    """
    try:
        yield
    except (DataError, OverflowError) as error:  # sqlite3 raises a bare OverflowError for an integer over 64 bits
        raise Invalid(f"a value does not fit into the database: {error}") from error
    except DBAPIError as error:
        if _too_large(error):
            raise Invalid(f"a value does not fit into the database: {_in_words(error)}") from error
        if error.connection_invalidated or _out_of_order(error):
            raise Unavailable(f"{_place(engine)}: {_in_words(error)}") from error
        raise
    except StatementError as error:  # a value that could not even be handed to the driver, such as a date before year 1
        raise Invalid(f"a value does not fit into the database: {error.orig}") from error


def upsert(session: Session, row: SQLModel, *, newest_by: str) -> None:
    """Insert `row`, or replace the stored one of the same primary key unless that is newer by column `newest_by`.

    Of two that are equally new the one whose content sorts last holds: the same rows in any order and any number leave
    the same content.
    """
    table: Table = type(row).__table__  # type: ignore[attr-defined]  # SQLModel adds it to table classes
    values = {column.name: getattr(row, column.name) for column in table.columns}
    connection = session.connection()
    done = connection.execute(
        _upsert_statement(table, connection.dialect.name, newest_by),
        values,
        execution_options={"preserve_rowcount": True},  # else the count of an INSERT is gone with its cursor
    )
    if done.rowcount:
        return
    same = [column == values[column.name] for column in table.primary_key]
    stored = connection.execute(select(table).where(*same)).mappings().one()  # locked by the statement above
    if stored[newest_by] == values[newest_by] and _rank(values) > _rank({**stored}):
        connection.execute(update(table).where(*same).values(values))


@cache
def _upsert_statement(table: Table, dialect: str, newest_by: str) -> Insert:
    """Built once per table: that takes longer than running it."""
    keys = [column.name for column in table.primary_key]
    statement = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
    return statement.on_conflict_do_update(
        index_elements=keys,
        set_={column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys},
        where=statement.excluded[newest_by] > table.c[newest_by],
    )


def _rank(values: Mapping[str, object]) -> str:
    """Any order of a table's rows, as long as both databases and all processes agree on it."""
    plain = {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }
    return json.dumps(plain, sort_keys=True, default=str)


def _too_large(error: DBAPIError) -> bool:
    """PostgreSQL counts a value too long for its index among the operational errors: no other try would help."""
    return (getattr(error.orig, "sqlstate", None) or "").startswith("54")


def _out_of_order(error: DBAPIError) -> bool:
    """Is the database itself in trouble? Other operational errors, such as a missing table, are defects."""
    if not isinstance(error, OperationalError):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in SQLITE_TROUBLE  # the upper bits only say more about it
    state = getattr(error.orig, "sqlstate", None)  # none: there is no connection
    return state is None or state[:2] in POSTGRES_TROUBLE


def _sqlite_engine(url: URL) -> Engine:
    if url.database and not url.database.startswith((":memory:", "file:")):
        folder = Path(url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseUnusable(f"the data folder {folder} cannot be made: {error.strerror}") from error
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: SqliteConnection, _: object) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = NORMAL")  # durable with WAL but for a power cut; the topics have it all
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while cursor.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
            try:
                cursor.execute("PRAGMA journal_mode = WAL")
            except SqliteOperationalError as error:  # the busy timeout does not cover the change of mode
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _lock_for_migration(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # sqlite3 opens no transaction of its own for DDL
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


def _place(engine: Engine) -> str:
    return f"the database {engine.url.render_as_string(hide_password=True)}"


def _in_words(error: DBAPIError) -> str:
    reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
    advice = {
        "readonly": "it is read-only; give it write access or name another folder with COPYDESK_HOME",
        "unable to open": "the file cannot be opened; check the folder's rights or name another with COPYDESK_HOME",
        "disk is full": "the disk is full; free some space, nothing is lost",
        "database is locked": "another process has been writing for too long",
    }
    return next((f"{words} ({reason})" for sign, words in advice.items() if sign in reason), reason)
