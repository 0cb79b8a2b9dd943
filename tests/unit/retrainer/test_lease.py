"""One training at a time on all machines together: who may start, who may end, and what a lost one does."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from infra import lease
from infra.database import make_engine, migrate, transaction
from infra.registry import ModelRegistry
from infra.settings import Settings
from schemas.records import TrainingRunRow
from schemas.training import INTERRUPTED, PROMOTED, RUNNING, GateReport, Metrics, RunResult
from tests.learning_samples import article_row, correction_row
from workers.retrainer.ledger import Ledger, Lost
from workers.retrainer.runner import Runner

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE_S = 60
METRICS = Metrics(n=4, house_rules_pass=1, entities_right=1, precision_mean=1, precision_std=0, by_tag={})
SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")


class Machines:
    """Two machines that share a database and nothing else; their clock is ours."""

    def __init__(self, home: Path) -> None:
        self.now = NOW
        self.shared = home / "copydesk.db"
        self.engine: Engine = make_engine(self.settings(home))
        migrate(self.engine)
        self.ledger = Ledger(self.engine, lambda: self.now)
        self.here, self.there = self.runner(home / "here"), self.runner(home / "there")

    def settings(self, home: Path) -> Settings:
        return Settings(home=home, database_url=f"sqlite:///{self.shared}", retrain_lease_s=LEASE_S)  # type: ignore[arg-type]

    def runner(self, home: Path) -> Runner:
        return Runner(self.settings(home), self.ledger, ModelRegistry(self.engine), SLEEPER)

    def start(self, runner: Runner) -> TrainingRunRow | None:
        return runner.start(self.ledger.facts(self.settings(self.shared)), actor="test", why="test")

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def states(self) -> list[str]:
        latest = self.ledger.latest()
        return [latest.state] if latest else []


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    made = Machines(tmp_path)
    yield made
    for runner in (made.here, made.there):
        runner.stop()


def test_while_one_machine_trains_no_other_one_starts(machines: Machines) -> None:
    assert machines.start(machines.here) is not None
    assert machines.start(machines.there) is None
    assert machines.there.watch() is None
    assert machines.states() == [RUNNING]


def test_of_many_that_start_at_once_one_does(machines: Machines, tmp_path: Path) -> None:
    runners = [machines.runner(tmp_path / str(number)) for number in range(6)]
    gate = threading.Barrier(len(runners))

    def start(runner: Runner) -> bool:
        gate.wait()
        return machines.start(runner) is not None

    with ThreadPoolExecutor(len(runners)) as pool:
        started = list(pool.map(start, runners))
    for runner in runners:
        runner.stop()
    assert sum(started) == 1
    assert machines.ledger.count() == 1


def test_a_training_that_lives_keeps_its_lease_however_long_it_takes(machines: Machines) -> None:
    machines.start(machines.here)
    for _ in range(5):
        machines.later(LEASE_S * 0.9)
        assert machines.here.watch() is None
        assert machines.there.watch() is None
    assert machines.states() == [RUNNING]


def test_a_machine_that_is_gone_is_given_up_when_its_lease_ends_and_not_before(machines: Machines) -> None:
    machines.start(machines.here)
    machines.later(LEASE_S - 1)
    assert machines.there.watch() is None
    machines.later(2)
    assert "no sign of life" in (machines.there.watch() or "")
    assert machines.states() == [INTERRUPTED]
    assert machines.start(machines.there) is not None


def test_a_machine_that_comes_back_too_late_stops_its_training_and_leaves_the_new_one_alone(
    machines: Machines,
) -> None:
    machines.start(machines.here)
    machines.later(LEASE_S + 1)
    machines.there.watch()
    second = machines.start(machines.there)
    assert second is not None
    assert "taken for dead" in (machines.here.watch() or "")
    assert machines.here.watch() is None
    running = machines.ledger.running()
    assert running is not None
    assert running.run_id == second.run_id
    assert machines.start(machines.here) is None


def test_who_looks_at_an_old_lease_does_not_end_a_run_that_lives_after_all(machines: Machines) -> None:
    row = machines.start(machines.here)
    assert row is not None
    machines.later(LEASE_S + 1)
    seen = machines.ledger.running()
    assert seen is not None
    assert machines.here.watch() is None  # renews it between the other's look and its deed
    with pytest.raises(Lost):
        machines.ledger.end(seen, INTERRUPTED, "too hasty", seen_dead=False)
    assert machines.states() == [RUNNING]


def test_the_result_of_a_run_that_somebody_else_has_ended_is_worth_nothing(machines: Machines) -> None:
    row = machines.start(machines.here)
    assert row is not None
    machines.ledger.end(row, INTERRUPTED, "somebody else did", seen_dead=True)
    gate = GateReport(passed=True, verdict="passed", reasons=(), before=None, after=METRICS, pairs=())
    result = RunResult(
        run_id=row.run_id,
        model_version=row.model_version,
        parent=None,
        artefact="",
        digest="",
        base_model="",
        base_revision="",
        dataset_hash="h",
        prompt_version="",
        prompt_digest="",
        config={},
        uses=(),
        gate=gate,
        seconds=1,
    )
    with pytest.raises(Lost), transaction(machines.engine) as session:
        machines.ledger.end_with(session, row, PROMOTED, "too late", result)
    assert machines.states() == [INTERRUPTED]


def test_a_training_process_renews_its_lease_itself_and_leaves_once_it_is_lost(machines: Machines) -> None:
    row = machines.start(machines.here)
    assert row is not None
    lost = threading.Event()
    lease.keep(machines.engine, row.run_id, 0.03, lost.set)
    seen: Callable[[], TrainingRunRow | None] = machines.ledger.running
    before = seen()
    assert before is not None
    assert not lost.wait(0.2)
    after = seen()
    assert after is not None
    assert after.lease_until != before.lease_until
    machines.ledger.end(after, INTERRUPTED, "somebody else did", seen_dead=True)
    assert lost.wait(5)


def test_the_facts_count_stories_curators_and_tags_of_what_no_training_has_seen(machines: Machines) -> None:
    with transaction(machines.engine) as session:
        for number in range(4):
            article = article_row(number % 2)
            row = correction_row(article, "A title", minute=number)
            row.curator = "ann" if number else "bob"
            row.error_tags = ["length", "names"] if number % 2 else ["names", "length"]
            session.add(row)
        session.add(correction_row(article_row(9), "Fine as it is", verdict="approved"))
    fresh = machines.ledger.facts(machines.settings(machines.shared)).fresh
    assert (fresh.corrections, fresh.stories, fresh.curators) == (4, 2, 2)
    assert dict(fresh.tags) == {("length", "names"): 4}
    assert fresh.oldest is not None
