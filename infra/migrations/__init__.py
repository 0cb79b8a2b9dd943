"""How the tables came to be what they are: one Alembic revision per change, for SQLite and PostgreSQL alike.

A new revision after a change of `schemas/records.py`: `python -m infra.migrations "what changes"`.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

_HERE = Path(__file__).parent
_one_at_a_time = Lock()  # Alembic keeps the running environment in a module


class UnknownRevision(Exception):
    """The database is at a revision that this version of the code does not have."""


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, found beside this file however the package was installed."""
    settings = Config()
    settings.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    return settings


def head() -> str | None:
    """The newest revision in the code."""
    return ScriptDirectory(str(_HERE)).get_current_head()


def current(connection: Connection) -> str | None:
    """The revision the database is at, None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def revisions() -> list[str]:
    """Every revision in the code, the oldest first."""
    return [script.revision for script in ScriptDirectory(str(_HERE)).walk_revisions()][::-1]


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Up to a revision, inside the connection's transaction. Raises `UnknownRevision`."""
    with _one_at_a_time:
        try:
            command.upgrade(config(connection), revision)
        except CommandError as error:
            raise UnknownRevision(str(error)) from error


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Back to a revision; `base` drops every table."""
    with _one_at_a_time:
        command.downgrade(config(connection), revision)
