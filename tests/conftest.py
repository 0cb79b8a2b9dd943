"""Real services for the tests that ask for them: nothing starts before a test names its fixture."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from infra.settings import Settings

if TYPE_CHECKING:  # unit tests pay for neither Kafka's client nor PostgreSQL
    from pgserver.postgres_server import PostgresServer

    from tests.ground import Broker

_numbers = itertools.count(1)
hypothesis.settings.register_profile("copydesk", deadline=None)  # a busy machine is no fault of the code
hypothesis.settings.load_profile("copydesk")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that may take longest come first: begun last, one would run on while other processes have no test left."""
    longest: dict[Path, float] = {}
    for item in items:
        limit = item.get_closest_marker("timeout")
        longest[item.path] = max(longest.get(item.path, 0), limit.args[0] if limit else 0)
    items.sort(key=lambda item: -longest[item.path])


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One real broker for the whole session. A test that kills its broker takes `own_broker`."""
    from tests.ground import Broker

    shared = Broker(tmp_path_factory.mktemp("broker"))
    try:
        shared.start()
        yield shared
    finally:
        shared.stop()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A real broker for one test alone, not started yet."""
    from tests.ground import Broker

    alone = Broker(tmp_path / "own")
    try:
        yield alone
    finally:
        alone.stop()


@pytest.fixture
def settings(tmp_path: Path, broker: Broker) -> Settings:
    """An empty data folder (with it, a fresh SQLite address) and the session's broker with empty topics."""
    broker.empty()
    home = tmp_path / "home"
    home.mkdir()
    return Settings(home=home, kafka_port=broker.settings.kafka_port)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One real PostgreSQL for the whole session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a container does not have
        from pgserver.postgres_server import get_server

        server = get_server(tmp_path_factory.mktemp("postgres"))
    try:
        yield server
    finally:
        server.cleanup()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """SQLAlchemy's address of a new, empty PostgreSQL database."""
    name = f"copydesk_{next(_numbers)}"
    postgres.psql(f"CREATE DATABASE {name};")
    address: str = postgres.get_uri(database=name)
    return address.replace("postgresql://", "postgresql+psycopg://", 1)
