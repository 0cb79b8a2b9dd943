"""What becomes of a run that has a result."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from infra.database import make_engine, migrate
from infra.registry import CANARY, CHAMPION, ModelRegistry, digest_folder
from infra.settings import Settings
from schemas.records import ModelVersionRow, TrainingRunRow
from schemas.training import AWAITING, FAILED, PROMOTED, REFUSED, RUNNING, GateReport, Metrics, RunResult
from workers.retrainer.conclude import conclude, version_row
from workers.retrainer.ledger import Ledger

NOW = datetime(2026, 1, 1, tzinfo=UTC)
METRICS = Metrics(n=4, house_rules_pass=1, entities_right=1, precision_mean=1, precision_std=0, by_tag={})


class Run:
    """A run of which `v2` came, compared with `v1`, which is champion; `v3` is there as well."""

    def __init__(self, home: Path, *, passed: bool, approval: bool = False, canary_share: float = 0.0) -> None:
        self.settings = Settings(home=home, retrain_approval=approval, canary_share=canary_share)
        engine = make_engine(self.settings)
        migrate(engine)
        self.registry, self.ledger = ModelRegistry(engine, lambda: NOW), Ledger(engine, lambda: NOW)
        self.weights = self.settings.artefacts / "v2" / "adapter_model.safetensors"
        self.weights.parent.mkdir(parents=True)
        self.weights.write_bytes(b"weights")
        self.row = TrainingRunRow(
            run_id=uuid4(),
            state=RUNNING,
            model_version="v2",
            parent="v1",
            corrections_used=1,
            started_at=NOW,
            actor="test",
        )
        self.result = RunResult(
            run_id=self.row.run_id,
            model_version="v2",
            parent="v1",
            artefact=str(self.weights.parent),
            digest=digest_folder(self.weights.parent),
            base_model="base",
            base_revision="main",
            dataset_hash="h",
            prompt_version="v3",
            prompt_digest="p",
            config={},
            uses=(),
            gate=GateReport(
                passed=passed, verdict="so said the gate", reasons=(), before=None, after=METRICS, pairs=()
            ),
            seconds=1,
        )
        for version in ("v1", "v3"):
            self.registry.register(self.version(version))
        self.move("v1", 0)
        assert self.ledger.begin(self.row)

    def version(self, name: str) -> ModelVersionRow:
        row = version_row(self.result, self.row)
        row.version = name
        return row

    def move(self, version: str, expected: int) -> None:
        self.registry.set_alias(
            CHAMPION, version, expected_sequence=expected, actor="test", reason="test", gate_verdict="none"
        )


@pytest.mark.parametrize(
    ("passed", "approval", "meanwhile", "state", "words", "champion"),
    [
        (True, False, None, PROMOTED, "v2 is champion: so said the gate", "v2"),
        (False, False, None, REFUSED, "v2 so said the gate", "v1"),
        (True, True, None, AWAITING, "awaits approval: copydesk models promote v2", "v1"),
        (False, True, None, REFUSED, "v2 so said the gate", "v1"),
        (True, False, lambda run: run.move("v3", 1), REFUSED, "the champion has changed meanwhile", "v3"),
        (True, False, lambda run: run.weights.write_bytes(b"others"), FAILED, "changed or damaged", "v1"),
        (True, True, lambda run: run.weights.with_name("x.bin").write_bytes(b""), FAILED, "is a pickle", "v1"),
    ],
)
def test_a_result_ends_its_run_and_promotes_only_what_passed_and_is_what_was_judged(
    tmp_path: Path,
    passed: bool,
    approval: bool,
    meanwhile: Callable[[Run], object] | None,
    state: str,
    words: str,
    champion: str,
) -> None:
    run = Run(tmp_path, passed=passed, approval=approval)
    if meanwhile is not None:
        meanwhile(run)
    assert words in conclude(run.settings, run.ledger, run.registry, run.row, run.result)
    ended, alias = run.ledger.of_version("v2"), run.registry.alias(CHAMPION)
    assert ended is not None
    assert alias is not None
    assert (ended.state, ended.finished_at, alias.version) == (state, NOW, champion)
    assert run.registry.get("v2") is not None, "what was made is known, whatever became of it"


def test_where_a_canary_is_wanted_the_new_version_gets_its_share_and_the_champion_stays(tmp_path: Path) -> None:
    run = Run(tmp_path, passed=True, canary_share=0.1)
    assert "v2 is the canary, with 10% of the articles" in conclude(
        run.settings, run.ledger, run.registry, run.row, run.result
    )
    champion, canary = run.registry.alias(CHAMPION), run.registry.alias(CANARY)
    assert champion is not None
    assert canary is not None
    assert (champion.version, canary.version) == ("v1", "v2")
