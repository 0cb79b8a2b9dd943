"""`python -m infra.migrations "what changes"`: write the next revision from the difference to `schemas/records.py`."""

from __future__ import annotations

import sys

from alembic import command
from sqlalchemy import create_engine

from infra import migrations


def main(message: str) -> None:
    """Compares the tables of today with an empty database at the newest revision; read what it wrote."""
    following = int(migrations.head() or "0") + 1
    with create_engine("sqlite://").connect() as connection:
        migrations.upgrade(connection)
        command.revision(migrations.config(connection), message=message, autogenerate=True, rev_id=f"{following:04d}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('say what changes: python -m infra.migrations "articles know their section"')
    main(sys.argv[1])
