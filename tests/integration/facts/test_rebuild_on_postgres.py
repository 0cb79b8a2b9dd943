"""A rebuild on PostgreSQL has the tables for itself; deleting rows alone would keep nobody from adding others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine

from infra.database import make_engine, migrate
from infra.kafka import Record
from infra.settings import Settings
from schemas.errors import Unavailable
from schemas.topics import ARTICLES, Topic
from tests.facts import HISTORY, article, content, envelope, tell
from workers.archivist.archive import store
from workers.archivist.projection import PARTS, project
from workers.archivist.rebuild import rebuild


def test_meanwhile_readers_see_the_old_rows_and_writers_wait(postgres_url: str) -> None:
    engine = make_engine(Settings(database_url=SecretStr(postgres_url)))
    impatient = create_engine(engine.url, connect_args={"options": "-c lock_timeout=100"})
    migrate(engine)
    tell(engine, HISTORY)
    before = content(engine)
    looked = []

    def look_on(topic: Topic) -> Iterator[Record]:
        looked.append(topic)
        assert content(engine) == before
        with pytest.raises(Unavailable):
            store(impatient, project(ARTICLES, envelope(article(9))))
        return iter(())

    part = next(part for part in PARTS if ARTICLES in part.topics)
    rebuild(engine, part, look_on, empty=False)
    assert looked == [ARTICLES]
    store(impatient, project(ARTICLES, envelope(article(9))))
    assert content(engine) != before
    impatient.dispose()
    engine.dispose()
