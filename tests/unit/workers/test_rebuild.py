"""Making the read model again on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine

from infra.database import make_engine, migrate
from infra.settings import Settings
from schemas.topics import TOPICS
from tests.rebuild_contract import RebuildContract
from workers.archivist.projection import PARTS


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = make_engine(Settings(home=tmp_path, database_url=SecretStr("")))
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def impatient(engine: Engine) -> Iterator[Engine]:
    impatient = create_engine(engine.url, connect_args={"timeout": 0.01})
    yield impatient
    impatient.dispose()


class TestSqlite(RebuildContract):
    """All of the contract."""


def test_every_topic_is_part_of_it() -> None:
    assert sorted(topic.name for part in PARTS for topic in part.topics) == sorted(topic.name for topic in TOPICS)
