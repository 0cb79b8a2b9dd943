"""Rows from somebody's database, by a query of theirs."""

from __future__ import annotations

from sqlalchemy import create_engine, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from schemas.errors import Invalid
from training.dataset.sources import Row, Rows


def query(address: str, statement: str) -> Rows:
    """The rows of a query, fetched by portions; nothing is ever committed. Raises `Invalid`."""
    if not address:
        raise Invalid("COPYDESK_DATASET_DATABASE_URL is not set: the address of the database to ask, postgresql://…")
    try:
        engine = create_engine(address, poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError):  # the exception may repeat the address
        raise Invalid(
            "COPYDESK_DATASET_DATABASE_URL is no address that SQLAlchemy and its drivers here understand; try "
            "postgresql+psycopg://… or sqlite:///…"
        ) from None
    try:
        with engine.connect() as connection:
            result = connection.execution_options(yield_per=500).execute(text(statement))
            if not result.returns_rows:
                raise Invalid("the statement of --sql gives no rows: a SELECT is needed; nothing was changed")
            for number, row in enumerate(result.mappings(), start=1):
                yield Row(f"row {number} of the query", dict(row))
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise Invalid(f"the database does not answer the query: {reason}") from None
