"""A locked database, as while `copydesk archive rebuild` runs, changes nothing: the same is done again later."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine

from infra.database import make_engine, migrate
from infra.registry import CHAMPION, ModelRegistry
from infra.settings import Settings
from schemas.errors import Unavailable
from schemas.records import TrainingRunRow
from schemas.training import INTERRUPTED, RUNNING
from workers.retrainer.first import first_champion
from workers.retrainer.ledger import Ledger
from workers.retrainer.runner import Runner

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def engine(settings: Settings) -> Engine:
    migrate(make_engine(settings))
    return create_engine(make_engine(settings).url, connect_args={"timeout": 0.01})


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine, lambda: NOW)


@pytest.fixture
def runner(settings: Settings, ledger: Ledger, engine: Engine) -> Runner:
    return Runner(settings, ledger, ModelRegistry(engine))


def run_row(settings: Settings) -> TrainingRunRow:
    """A run on this machine whose process is gone."""
    return TrainingRunRow(
        run_id=uuid4(),
        state=RUNNING,
        model_version="v2",
        parent=None,
        corrections_used=1,
        started_at=NOW,
        actor="test",
        place=f"{platform.node()}:{settings.home.resolve()}",
        lease_until=NOW + timedelta(seconds=60),
    )


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    with engine.connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        yield


def latest(ledger: Ledger) -> TrainingRunRow:
    row = ledger.latest()
    assert row is not None
    return row


def test_the_end_of_a_run_is_written_down_once_that_is_possible(
    runner: Runner, ledger: Ledger, engine: Engine, settings: Settings
) -> None:
    assert ledger.begin(run_row(settings))
    with locked(engine):
        for _ in range(2):
            with pytest.raises(Unavailable, match="another process has been writing"):
                runner.watch()
    assert "interrupted" in (runner.watch() or "")
    assert latest(ledger).state == INTERRUPTED
    assert runner.watch() is None


def test_no_training_starts_that_cannot_be_written_down_and_nobody_is_kept_from_starting_one(
    runner: Runner, ledger: Ledger, engine: Engine, settings: Settings
) -> None:
    facts = ledger.facts(settings)
    with locked(engine), pytest.raises(Unavailable):
        runner.start(facts, actor="test", why="test")
    assert ledger.count() == 0
    assert ledger.begin(run_row(settings))
    somebody_else = Runner(settings, ledger, ModelRegistry(engine))
    assert "interrupted" in (somebody_else.watch() or "")


def test_the_first_champion_waits_for_the_database(engine: Engine, settings: Settings) -> None:
    registry = ModelRegistry(engine)
    with locked(engine), pytest.raises(Unavailable):
        first_champion(registry, settings, NOW)
    first_champion(registry, settings, NOW)
    assert [move.sequence for move in registry.history(CHAMPION)] == [1]
