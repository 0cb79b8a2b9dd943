"""Where rows are put: the archivist's side of the database."""

from __future__ import annotations

from sqlalchemy import Engine

from infra.database import transaction, upsert
from infra.observability import metrics
from workers.archivist.projection import Upsert


def store(engine: Engine, rows: tuple[Upsert, ...]) -> None:
    """All rows or none, in one short transaction. Blocks. Raises `Transient` or `Invalid`."""
    with metrics.STORE_SECONDS.time(), transaction(engine) as session:
        for each in rows:
            upsert(session, each.row, newest_by=each.newest_by)
