"""The learning half of the wheel, with real processes and a tiny random model: from corrections to a gated version."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from infra.database import make_engine, migrate
from infra.kafka import read_whole
from infra.registry import CHAMPION, ModelRegistry, digest_folder
from infra.settings import Settings
from schemas.envelope import decode
from schemas.events import Adapter
from schemas.records import ModelVersionRow, TrainingExampleRow, TrainingRunRow
from schemas.topics import ADAPTERS
from schemas.training import FAILED, INTERRUPTED, PROMOTED, REFUSED, RUNNING
from tests.ground import wait_until
from tests.learning_samples import fill
from workers.retrainer.announce import announce
from workers.retrainer.ledger import Ledger
from workers.retrainer.runner import Runner
from workers.retrainer.worker import look

RUN_S = 500
pytestmark = pytest.mark.timeout(600)  # each starts processes that import torch and BERTScore


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "quick.yaml"
    path.write_text("epochs: 1\nbatch_size: 8\nlearning_rate: 1.0e-3\nmax_tokens: 1500\nholdout_stories: 12\n")
    return path


class House:
    """A data folder with stories and corrections, and a retrainer's parts over it."""

    def __init__(self, settings: Settings, adapter: Path) -> None:
        self.settings = settings
        self.engine: Engine = make_engine(settings)
        migrate(self.engine)
        fill(self.engine, articles=60, corrections=20)
        self.registry = ModelRegistry(self.engine)
        self.registry.register(first_version(adapter))
        self.move("v1", 0)
        self.ledger = Ledger(self.engine, lambda: datetime.now(UTC))
        self.runner = self.new_runner()

    def new_runner(self) -> Runner:
        return Runner(self.settings, self.ledger, self.registry)

    def move(self, version: str, expected: int) -> None:
        self.registry.set_alias(
            CHAMPION, version, expected_sequence=expected, actor="test", reason="test", gate_verdict="none"
        )

    def look_until_ended(self) -> TrainingRunRow:
        def ended() -> TrainingRunRow | None:
            look(self.settings, self.ledger, self.runner)
            row = self.ledger.latest()
            return row if row is not None and row.state != RUNNING else None

        return wait_until(ended, RUN_S, every_s=0.3)


def first_version(adapter: Path) -> ModelVersionRow:
    return ModelVersionRow(
        version="v1",
        artefact_uri=str(adapter),
        digest=digest_folder(adapter),
        base_model="tiny",
        base_revision="main",
        dataset_hash="",
        prompt_version="v3",
        prompt_digest="p",
        parent=None,
        config={},
        metrics={},
        created_at=datetime.now(UTC),
    )


@pytest.fixture
def house(tiny_base: Path, adapters: dict[str, Path], home: Path, recipe: Path) -> Iterator[House]:
    settings = Settings(
        home=home,
        base_model=str(tiny_base),
        training_config=str(recipe),
        retrain_min_corrections=20,
        max_article_tokens=100,
        max_title_tokens=16,
        torch_threads=1,
    )
    made = House(settings, adapters["v1"])
    yield made
    made.runner.stop()


def test_corrections_become_a_registered_version_with_a_verdict(house: House) -> None:
    run = house.look_until_ended()
    assert run.state in (PROMOTED, REFUSED), run.explanation
    version = house.registry.get(run.model_version)
    assert version is not None
    assert version.digest == digest_folder(Path(version.artefact_uri))
    assert (version.parent, version.prompt_version) == ("v1", "v3")
    assert run.gate_report["before"]["n"] == run.gate_report["after"]["n"] == 12
    assert len(run.gate_report["pairs"]) == 12
    assert run.gate_report["verdict"] in run.explanation
    with Session(house.engine) as session:
        examples = session.exec(select(TrainingExampleRow)).all()
    assert {one.split for one in examples} == {"train", "holdout"}
    assert len(examples) == 20
    assert house.ledger.facts(house.settings).fresh.corrections == 0
    champion = house.registry.alias(CHAMPION)
    assert champion is not None
    assert (champion.version == run.model_version) == (run.state == PROMOTED)


def test_a_killed_training_is_interrupted_and_starts_again_by_itself(house: House) -> None:
    look(house.settings, house.ledger, house.runner)
    first = house.ledger.running()
    assert first is not None
    [child] = trainings()
    child.kill()
    second = wait_until(lambda: other_run(house, first), 30)
    assert house.runner.start(house.ledger.facts(house.settings), actor="test", why="a second one") is None
    house.runner.stop()
    with Session(house.engine) as session:
        states = {row.model_version: row.state for row in session.exec(select(TrainingRunRow))}
    assert states == {first.model_version: INTERRUPTED, second.model_version: INTERRUPTED}
    assert trainings() == []


def trainings() -> list[psutil.Process]:
    """The training processes of this one; other tests' brokers may be its children too."""
    return [child for child in psutil.Process().children() if "training.run" in child.cmdline()]


def other_run(house: House, first: TrainingRunRow) -> TrainingRunRow | None:
    look(house.settings, house.ledger, house.runner)
    row = house.ledger.running()
    return row if row is not None and row.run_id != first.run_id else None


def test_a_training_outlives_its_retrainer_and_the_next_one_finishes_it(house: House) -> None:
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:  # a retrainer that starts a training and is then killed with -9
        os.close(reader)
        look(house.settings, house.ledger, house.new_runner())
        os.write(writer, b"started")
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(writer)
    assert os.read(reader, 16) == b"started"
    os.close(reader)
    os.waitpid(pid, 0)
    orphan = house.ledger.running()
    assert orphan is not None
    assert house.runner.start(house.ledger.facts(house.settings), actor="test", why="a second one") is None
    ended = house.look_until_ended()
    assert ended.run_id == orphan.run_id
    assert ended.state in (PROMOTED, REFUSED), ended.explanation


def test_a_run_that_fails_says_why_and_promotes_nothing(house: House, recipe: Path) -> None:
    recipe.write_text("learning_rat: 1\n")
    run = house.look_until_ended()
    assert run.state == FAILED
    assert "learning_rat" in run.explanation
    assert [row.version for row in house.registry.list()] == ["v1"]


def test_every_move_is_announced_once_and_the_last_one_again_on_demand(
    settings: Settings, adapters: dict[str, Path]
) -> None:
    engine = make_engine(settings)
    migrate(engine)
    registry = ModelRegistry(engine)
    registry.register(first_version(adapters["v1"]))
    registry.set_alias(CHAMPION, "v1", expected_sequence=0, actor="test", reason="first", gate_verdict="none")
    assert announce(registry, settings) == 1
    assert announce(registry, settings) == 0
    assert announce(registry, settings, again=True) == 1
    events = [decode(record.value, record.headers).event for record in read_whole(settings, ADAPTERS.name)]
    assert len({event.event_id for event in events}) == 1
    assert all(isinstance(event, Adapter) and event.model_version == "v1" for event in events)
