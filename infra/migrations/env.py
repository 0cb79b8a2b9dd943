"""Run by Alembic. The caller brings the connection and owns the transaction."""

from __future__ import annotations

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

from schemas import records


def plain_types(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    """Revisions name SQL types only: they must run for ever, and our classes will change."""
    if kind == "type" and isinstance(item, records.UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, AutoString):
        return "sa.String()"
    return False


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise RuntimeError("migrations run through infra.database.migrate, which brings the connection")
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_item=plain_types,
        render_as_batch=True,  # SQLite cannot alter a column in place
        transactional_ddl=True,  # SQLite can roll DDL back too once a transaction is open
    )
    with context.begin_transaction():
        context.run_migrations()


run()
