"""kill -9 at a chosen line of dataset build, training, evaluation and promotion, and what the restart makes of it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlmodel import select

from infra.database import make_engine, migrate, transaction
from infra.kafka import read_whole
from infra.registry import CHAMPION, ModelRegistry, digest_folder
from infra.settings import Settings
from schemas.envelope import decode
from schemas.events import Adapter
from schemas.records import CorrectionRow, ModelVersionRow, TrainingExampleRow, TrainingRunRow
from schemas.topics import ADAPTERS
from schemas.training import (
    INTERRUPTED,
    PROMOTED,
    REFUSED,
    RESULT_FILE,
    RUNNING,
    GateReport,
    Metrics,
    RunResult,
    Use,
)
from tests.ground import environment_for, wait_until
from tests.learning_samples import fill
from workers.retrainer.announce import announce
from workers.retrainer.ledger import Ledger
from workers.retrainer.runner import Runner
from workers.retrainer.worker import look

DYING = (sys.executable, str(Path(__file__).with_name("dying.py")))
PHASES = {
    "dataset build": "training.dataset.snapshot:_move:1",
    "training": "torch._tensor:backward:2",
    "writing the artefact": "training.finetune:write_manifest:1",
    "evaluation": "training.evaluate:judge_titles:1",
}
PROMOTION = {
    "before the version is registered": "infra.registry:register:1",
    "after it is registered": "workers.retrainer.ledger:end_with:1",
    "after the run has ended, in the same transaction": "infra.registry:set_alias_within:1",
    "after the champion has moved, in the same transaction": "infra.registry:set_alias_within:1:end",
    "after the promotion, before its announcement": "workers.retrainer.announce:adapter_event:2",
    "after the announcement, before that is written down": "infra.registry:mark_announced:2",
    "after the announcement is written down": "infra.registry:mark_announced:2:end",
}
pytestmark = pytest.mark.timeout(900)


@dataclass
class Press:
    """A data folder where `v1` serves, and a retrainer's parts over it."""

    settings: Settings

    def __post_init__(self) -> None:
        self.engine = make_engine(self.settings)
        self.registry = ModelRegistry(self.engine)
        self.ledger = Ledger(self.engine, lambda: datetime.now(UTC))

    def found(self, adapter: Path) -> None:
        migrate(self.engine)
        fill(self.engine, articles=40, corrections=14)
        self.registry.register(version_row("v1", adapter))
        self.registry.set_alias(CHAMPION, "v1", expected_sequence=0, actor="test", reason="test", gate_verdict="none")

    def runner(self, dies_at: str = "") -> Runner:
        command = (*DYING, dies_at) if dies_at else (sys.executable, "-m")
        return Runner(self.settings, self.ledger, self.registry, (*command, "training.run"))

    def run(self, runner: Runner) -> TrainingRunRow:
        """Start one training and look after it until it has ended, however it does."""
        started = runner.start(self.ledger.facts(self.settings), actor="test", why="test")
        assert started is not None
        wait_until(runner.watch, 300, every_s=0.2)
        ended = self.ledger.of_version(started.model_version)
        assert ended is not None
        return ended

    def versions(self) -> list[str]:
        return [row.version for row in self.registry.list()]

    def champion(self) -> tuple[str, int]:
        alias = self.registry.alias(CHAMPION)
        assert alias is not None
        return alias.version, alias.sequence


def version_row(version: str, adapter: Path) -> ModelVersionRow:
    return ModelVersionRow(
        version=version,
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
def small(tiny_base: Path, adapters: dict[str, Path], tmp_path: Path) -> Press:
    """Everything as small as it can be and still be a training."""
    recipe = tmp_path / "quick.yaml"
    recipe.write_text("epochs: 1\nbatch_size: 4\nlearning_rate: 1.0e-3\nmax_tokens: 1500\nholdout_stories: 4\n")
    press = Press(
        Settings(
            home=tmp_path / "home",
            base_model=str(tiny_base),
            training_config=str(recipe),
            retrain_min_corrections=10,
            max_article_tokens=100,
            max_title_tokens=8,
            torch_threads=1,
        )
    )
    press.found(adapters["v1"])
    return press


def test_a_training_killed_in_any_phase_leaves_nothing_behind_and_the_next_one_comes_to_its_end(small: Press) -> None:
    home = small.settings.home
    for phase, place in PHASES.items():
        run = small.run(small.runner(dies_at=place))
        assert run.state == INTERRUPTED, (phase, run.explanation)
        assert small.versions() == ["v1"], phase
        assert small.champion() == ("v1", 1), phase
        assert not (small.settings.artefacts / run.model_version).exists(), f"half a model is left after {phase}"
        assert not (home / "runs" / str(run.run_id) / RESULT_FILE).exists(), phase
        assert small.ledger.facts(small.settings).fresh.corrections == 14, "no correction may count as learned from"
        if phase == "dataset build":
            assert whole(home) == [], "half a data set must not pass for one"
    last = small.run(small.runner())
    assert last.state in (PROMOTED, REFUSED), last.explanation
    assert small.versions() == ["v1", last.model_version]
    assert small.ledger.facts(small.settings).fresh.corrections == 0
    assert len(whole(home)) == len(list((home / "datasets").iterdir())) == 1, "unfinished data sets are cleared away"


def whole(home: Path) -> list[Path]:
    """The data sets that have their manifest, in place."""
    return [file.parent for file in (home / "datasets").glob("[0-9a-f]*/manifest.json")]


@pytest.fixture
def judged(settings: Settings, adapters: dict[str, Path]) -> Press:
    """A training has ended well: its result lies there, and no retrainer has looked at it yet."""
    press = Press(settings.model_copy(update={"retrain_enabled": False, "retrain_poll_s": 0.1}))
    press.found(adapters["v1"])
    announce(press.registry, press.settings)
    artefact = press.settings.artefacts / "v2"
    shutil.copytree(adapters["v2"], artefact)
    run_id = uuid4()
    with transaction(press.engine) as session:
        corrections = session.exec(select(CorrectionRow)).all()
    metrics = Metrics(n=4, house_rules_pass=1, entities_right=1, precision_mean=1, precision_std=0, by_tag={})
    result = RunResult(
        run_id=run_id,
        model_version="v2",
        parent="v1",
        artefact=str(artefact),
        digest=digest_folder(artefact),
        base_model="tiny",
        base_revision="main",
        dataset_hash="h",
        prompt_version="v3",
        prompt_digest="p",
        config={},
        uses=tuple(
            Use(correction_id=one.correction_id, article_id=one.article_id, split="train") for one in corrections
        ),
        gate=GateReport(passed=True, verdict="passed", reasons=(), before=None, after=metrics, pairs=()),
        seconds=1,
    )
    folder = press.settings.home / "runs" / str(run_id)
    folder.mkdir(parents=True)
    (folder / RESULT_FILE).write_text(result.model_dump_json())
    now = datetime.now(UTC)
    begun = TrainingRunRow(
        run_id=run_id,
        state=RUNNING,
        model_version="v2",
        parent="v1",
        corrections_used=14,
        started_at=now,
        actor="test",
        place=press.runner()._place,
        lease_until=now + timedelta(seconds=60),
    )
    assert press.ledger.begin(begun)
    return press


@pytest.mark.parametrize("when", PROMOTION)
def test_a_promotion_killed_anywhere_is_whole_or_not_there_and_is_done_once_after_the_restart(
    judged: Press, when: str
) -> None:
    killed = subprocess.run(
        [*DYING, PROMOTION[when], "copydesk", "worker", "retrainer"],
        env=environment_for(judged.settings),
        timeout=120,
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    moved = "after the promotion" in when or "after the announcement" in when
    run = judged.ledger.of_version("v2")
    assert run is not None
    assert (run.state, judged.champion(), len(judged.registry.history(CHAMPION))) == (
        (PROMOTED, ("v2", 2), 2) if moved else (RUNNING, ("v1", 1), 1)
    )

    look(judged.settings, judged.ledger, judged.runner())  # the restarted retrainer's first round
    announce(judged.registry, judged.settings)

    run = judged.ledger.of_version("v2")
    assert run is not None
    assert run.state == PROMOTED
    assert judged.versions() == ["v1", "v2"]
    assert judged.champion() == ("v2", 2)
    moves = judged.registry.history(CHAMPION)
    assert [(move.sequence, move.version, move.announced) for move in moves] == [(1, "v1", True), (2, "v2", True)]
    with transaction(judged.engine) as session:
        assert len(session.exec(select(TrainingExampleRow)).all()) == 14
    events = [decode(record.value, record.headers).event for record in read_whole(judged.settings, ADAPTERS.name)]
    told = {event.event_id: event.model_version for event in events if isinstance(event, Adapter)}
    assert sorted(told.values()) == ["v1", "v2"], "the same move is the same event, however often it was sent"
