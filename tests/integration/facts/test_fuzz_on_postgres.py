"""What PostgreSQL refuses (U+0000 in text, numbers or dates beyond its columns) ends no archivist."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from infra.database import make_engine, migrate
from infra.settings import Settings
from schemas.topics import TOPICS
from tests.fuzz import spoiled
from tests.stream.test_fuzz import MANY, Reader, readers
from workers.archivist.worker import lane


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def archivists(postgres_url: str, tmp_path: Path, runner: asyncio.Runner) -> Iterator[dict[str, Reader]]:
    engine = make_engine(Settings(database_url=SecretStr(postgres_url)))
    migrate(engine)
    with ThreadPoolExecutor(1) as executor:
        yield runner.run(readers(tmp_path, [lane(topic, engine, executor) for topic in TOPICS]))
    engine.dispose()


@pytest.mark.parametrize("topic", [topic.name for topic in TOPICS])
@given(data=st.data())
@MANY
def test_the_archivist_on_postgresql(
    topic: str, data: st.DataObject, archivists: dict[str, Reader], runner: asyncio.Runner
) -> None:
    assert runner.run(archivists[topic].read(data.draw(spoiled(topic)))) in ("handled", "buried")
