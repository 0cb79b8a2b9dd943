"""Reads every topic, writes the read model. The one writer of those tables; all of them can be rebuilt by replaying."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import Executor, ThreadPoolExecutor

from sqlalchemy import Engine

from infra.database import DatabaseUnusable, make_engine, migrate
from infra.observability import tracing
from infra.settings import Settings
from schemas.envelope import Envelope
from schemas.errors import Unavailable
from schemas.topics import TOPICS, Topic
from workers.archivist.archive import store
from workers.archivist.projection import project
from workers.stream import Lane, Outlet, run

POSTGRES_WRITERS = 8
PATIENCE_S = 45.0
"""A few rows take no longer; a database that has not answered by then hangs, or a rebuild keeps its tables locked."""


def main(settings: Settings) -> None:
    """Run until SIGTERM. Ends with a sentence and status 1 where the database cannot be used."""
    try:
        engine = make_engine(settings)
        migrate(engine)
    except DatabaseUnusable as error:
        sys.exit(f"the archivist cannot start: {error}")
    # SQLite takes one writer at a time: waiting for a thread here beats waiting for its lock, which backs off
    writers = 1 if engine.dialect.name == "sqlite" else POSTGRES_WRITERS
    with ThreadPoolExecutor(writers, thread_name_prefix="archive") as executor:
        run("archivist", settings, [lane(topic, engine, executor) for topic in TOPICS])
    engine.dispose()


def lane(topic: Topic, engine: Engine, executor: Executor, *, patience_s: float = PATIENCE_S) -> Lane:
    """Store what is on one topic."""

    async def handle(envelope: Envelope, _: Outlet) -> None:
        rows = project(topic, envelope)
        with tracing.span("archivist rows", rows=len(rows)):
            await _patiently(asyncio.get_running_loop().run_in_executor(executor, store, engine, rows), patience_s)

    return Lane(topic, handle)


async def _patiently(storing: asyncio.Future[None], patience_s: float) -> None:
    limit = asyncio.timeout(patience_s)
    try:
        async with limit:
            await storing
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise Unavailable(f"the database has not answered for {patience_s:g} s") from error
