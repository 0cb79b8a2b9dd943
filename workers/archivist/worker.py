"""Reads every topic, writes the read model. The one writer of those tables; all of them can be rebuilt by replaying."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor

from sqlalchemy import Engine

from infra.database import make_engine, migrate
from infra.settings import Settings
from schemas.envelope import Envelope
from schemas.topics import TOPICS, Topic
from workers import stream
from workers.archivist.archive import store
from workers.archivist.projection import project

POSTGRES_WRITERS = 8


def main(settings: Settings) -> None:
    """Run until SIGTERM."""
    engine = make_engine(settings)
    migrate(engine)
    writers = (
        1 if engine.dialect.name == "sqlite" else POSTGRES_WRITERS
    )  # SQLite: waiting here beats its lock's back-off
    with ThreadPoolExecutor(writers, thread_name_prefix="archive") as executor:
        stream.run("archivist", settings, [lane(topic, engine, executor) for topic in TOPICS])
    engine.dispose()


def lane(topic: Topic, engine: Engine, executor: Executor) -> stream.Lane:
    """Store what is on one topic."""

    async def handle(envelope: Envelope, _: stream.Outlet) -> None:
        rows = project(topic, envelope)
        await asyncio.get_running_loop().run_in_executor(executor, store, engine, rows)

    return stream.Lane(topic, handle)
