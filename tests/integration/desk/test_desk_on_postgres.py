"""The desk's queries give the same on PostgreSQL as on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlmodel import Session

from infra.database import make_engine, migrate
from infra.published import published_on_story
from infra.settings import Settings
from schemas.events import Verdict
from schemas.records import CorrectionRow, ModelVersionRow
from tests.desk_seed import NOW, OTHERS, TIDE, RecordingBroker, put
from workers.desk.desk import Desk
from workers.desk.quality import report
from workers.desk.verdicts import Submission


@pytest.fixture
def engines(tmp_path: Path, postgres_url: str) -> Iterator[list[Engine]]:
    made = [make_engine(Settings(home=tmp_path)), make_engine(Settings(database_url=SecretStr(postgres_url)))]
    yield made
    for engine in made:
        engine.dispose()


def seen(engine: Engine) -> list[object]:
    """What the desk shows of the same rows and verdicts."""
    migrate(engine)
    put(engine, replace(TIDE, probability=0.7), *(replace(case, source=TIDE.source) for case in OTHERS))
    version = dict.fromkeys(ModelVersionRow.model_fields, "x") | {"version": "v1", "parent": None, "created_at": NOW}
    with Session(engine) as session:
        session.add(ModelVersionRow.model_validate({**version, "config": {}, "metrics": {}}))
        session.commit()
    desk = Desk(engine, RecordingBroker(), lambda: NOW)
    for case in OTHERS[:3]:
        given = desk.judge(case.title_id, Submission(verdict=Verdict.corrected, text="A better title", curator="Ana"))
        with Session(engine) as session:
            session.add(CorrectionRow.model_validate({**given.model_dump(), "error_tags": []}))
            session.commit()
    with desk.reading() as session:
        told = report(session, NOW)
        out = published_on_story(session, TIDE.story_id, but_for=TIDE.article_id)
    waiting = desk.waiting(50)
    assert told.flagger.counts.flagged_judged == 3
    assert len(waiting) == len(OTHERS) - 2
    return [waiting, desk.progress(), told, out]


def test_queue_progress_and_quality_are_the_same_on_both_databases(engines: list[Engine]) -> None:
    on_sqlite, on_postgres = (seen(engine) for engine in engines)
    assert on_postgres == on_sqlite
