"""Makes the read model again from the topics, one part after the other, each in one transaction.

Whoever reads sees the old rows until a part is whole, then the new ones. A rebuild that is interrupted leaves the part
it was at as it was, and may be repeated. The archivist may go on meanwhile: its writes wait for the part that is being
made, and what it wrote before comes from the topic again.

A table is emptied only if its topics still hold all that ever filled it. A compacted topic does not, nor does one whose
first messages were removed: those tables keep their rows and are written over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from sqlalchemy import Engine, delete, func, select, text
from sqlmodel import Session, SQLModel

from infra.database import transaction, upsert, verdicts
from infra.kafka import Record
from schemas.envelope import decode
from schemas.errors import Invalid, Mendable
from schemas.topics import Topic
from workers.archivist.projection import Part, Upsert, project

CHUNK = 100
"""Messages between two savepoints; one that does not fit into the database costs its chunk a second pass."""


class WouldLoseRows(Mendable):
    """The topics gave fewer rows than there were; the part was left as it was."""


@dataclass(frozen=True)
class Made:
    """What became of a part: rows by table, and how many messages left none (the archivist has buried those)."""

    before: dict[str, int]
    after: dict[str, int]
    messages: int
    without_rows: int


def rebuild(
    engine: Engine,
    part: Part,
    read: Callable[[Topic], Iterator[Record]],
    *,
    empty: bool,
    fewer_rows: bool = False,
) -> Made:
    """Make one part again, all of it or nothing. Blocks for as long as its topics take to read.

    Raises `WouldLoseRows` unless `fewer_rows` are fine, `Unavailable` when the database is away, what `read` raises.
    """
    messages = without_rows = 0
    with transaction(engine) as session:
        _keep_writers_out(session, part)
        before = count_rows(session, part)
        if empty:
            for table in part.tables:
                session.connection().execute(delete(table))
        for topic in part.topics:
            records = iter(read(topic))  # begun only now: what was committed before the lock lies before its end
            while chunk := list(islice(records, CHUNK)):
                rows = [found for record in chunk if (found := _rows(topic, record))]
                messages += len(chunk)
                without_rows += len(chunk) - len(rows) + _store(engine, session, rows)
        after = count_rows(session, part)
        lost = {name: f"{before[name]:,} to {after[name]:,}" for name in before if after[name] < before[name]}
        if lost and not fewer_rows:
            shrunk = ", ".join(f"{name} from {counts}" for name, counts in lost.items())
            raise WouldLoseRows(f"the topics would shrink {shrunk} rows: left as they are (--fewer-rows goes on)")
    return Made(before, after, messages, without_rows)


def count_rows(session: Session, part: Part) -> dict[str, int]:
    """Rows by table."""
    return {
        name_of(table): session.execute(select(func.count()).select_from(table)).scalar_one() for table in part.tables
    }


def name_of(table: type[SQLModel]) -> str:
    """The table's name in the database."""
    return str(table.__tablename__)


def _keep_writers_out(session: Session, part: Part) -> None:
    """Until the end of the transaction; readers go on."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        names = ", ".join(map(name_of, part.tables))
        connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))


def _rows(topic: Topic, record: Record) -> tuple[Upsert, ...]:
    try:
        return project(topic, decode(record.value, record.headers))
    except Invalid:
        return ()


def _store(engine: Engine, session: Session, rows: list[tuple[Upsert, ...]]) -> int:
    """Store the rows of some messages; returns how many messages do not fit into the database."""
    try:
        with verdicts(engine), session.begin_nested():
            for each in chain.from_iterable(rows):
                upsert(session, each.row, newest_by=each.newest_by)
    except Invalid:
        return 1 if len(rows) == 1 else sum(_store(engine, session, [one]) for one in rows)
    return 0
