"""PostgreSQL dies in the middle and comes back: who needs it waits, goes on by itself, and buries nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlmodel import Session, func, select

from infra.database import make_engine, migrate
from infra.kafka import lag, make_producer, read_whole, send_acked
from infra.settings import LOOPBACK, Settings
from schemas.envelope import encode
from schemas.records import ArticleRow, TitleRow
from schemas.topics import ARTICLES, TITLES, TOPICS
from tests.facts import NOON, title
from tests.ground import environment_for, free_ports, wait_until
from tests.samples import make_article

if TYPE_CHECKING:
    from pgserver.postgres_server import PostgresServer

AWAY_S = 20
"""Longer than all the tries of a message with transient trouble."""


class Server:
    """A PostgreSQL of the test's own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a container does not have
            from pgserver.postgres_server import get_server

            self.server: PostgresServer = get_server(folder)
        self.address = self.server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)

    def kill(self) -> None:
        """As in a crash: no goodbye to anybody who is connected."""
        from pgserver._commands import POSTGRES_BIN_PATH

        command = [str(POSTGRES_BIN_PATH / "pg_ctl"), "-D", str(self.server.pgdata), "-m", "immediate", "-w", "stop"]
        subprocess.run(command, user=self.server.system_user, check=True, capture_output=True, timeout=30)

    def start(self) -> None:
        self.server.ensure_postgres_running()


@pytest.fixture
def database() -> Iterator[Server]:
    # not in pytest's own folder: every session of pytest closes that to other users, and PostgreSQL is one
    with tempfile.TemporaryDirectory(prefix="copydesk-postgres-") as folder:
        database = Server(Path(folder))
        yield database
        database.server.cleanup()


@pytest.mark.timeout(400)
def test_the_archivist_waits_for_its_database_and_loses_and_buries_nothing(
    settings: Settings, database: Server
) -> None:
    stored = settings.model_copy(update={"database_url": SecretStr(database.address)})
    engine = make_engine(stored)
    migrate(engine)
    with (Path(stored.home) / "archivist.log").open("ab") as log:
        command = [sys.executable, "-m", "copydesk", "worker", "archivist"]
        process = subprocess.Popen(command, env=environment_for(stored), stdout=log, stderr=log)
    try:
        send(stored, range(200))
        wait_until(lambda: count(engine, ArticleRow) > 0, 90)
        database.kill()
        send(stored, range(200, 300))
        time.sleep(AWAY_S)
        assert process.poll() is None, "it waits"
        assert lag(stored, "copydesk.archivist", TOPICS) > 0
        database.start()
        wait_until(lambda: lag(stored, "copydesk.archivist", TOPICS) == 0, 120, every_s=0.5)
        assert process.poll() is None, "it went on by itself"
        assert (count(engine, ArticleRow), count(engine, TitleRow)) == (300, 300)
        assert [letter for topic in TOPICS for letter in read_whole(stored, topic.dead_letters)] == []
        process.terminate()
        assert process.wait(60) == os.EX_OK
    finally:
        process.kill()
        process.wait()
        engine.dispose()


def send(settings: Settings, numbers: range) -> None:
    producer = make_producer(settings, "test")
    articles = [make_article(number) for number in numbers]
    send_acked(producer, [(ARTICLES, encode(article, source="test", time=NOON)) for article in articles])
    send_acked(producer, [(TITLES, encode(title(article), source="test", time=NOON)) for article in articles])
    producer.close()


def count(engine: Engine, table: type[ArticleRow] | type[TitleRow]) -> int:
    with Session(engine) as session:
        return session.exec(select(func.count()).select_from(table)).one()


@pytest.mark.timeout(400)
def test_the_retrainer_waits_for_its_database_and_says_so(settings: Settings, database: Server) -> None:
    stored = settings.model_copy(
        update={
            "database_url": SecretStr(database.address),
            "metrics_port": free_ports(),
            "retrain_poll_s": 0.5,
        }
    )
    with (Path(stored.home) / "retrainer.log").open("ab") as log:
        command = [sys.executable, "-m", "copydesk", "worker", "retrainer"]
        process = subprocess.Popen(command, env=environment_for(stored), stdout=log, stderr=log)
    try:
        wait_until(lambda: readiness(stored) == "ok", 90)
        database.kill()
        wait_until(lambda: "the database" in readiness(stored), 60)
        assert process.poll() is None, "it waits"
        database.start()
        wait_until(lambda: readiness(stored) == "ok", 60)
        database.kill()
        process.terminate()
        assert process.wait(60) == os.EX_OK, "it stops without a database, too"
    finally:
        process.kill()
        process.wait()


def readiness(settings: Settings) -> str:
    """What `/readyz` says; nothing while nobody answers."""
    try:
        return httpx.get(f"http://{LOOPBACK}:{settings.metrics_port}/readyz", timeout=5).text.strip()
    except httpx.HTTPError:
        return ""
