"""`copydesk models` and `copydesk retrain status`, with a real database and a real broker."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from copydesk.main import app
from infra.database import make_engine, migrate, transaction
from infra.kafka import read_whole
from infra.registry import ModelRegistry, digest_folder
from infra.settings import Settings, get_settings
from schemas.envelope import decode
from schemas.events import Adapter
from schemas.records import ModelVersionRow, TrainingRunRow
from schemas.topics import ADAPTERS
from schemas.training import AWAITING, PROMOTED
from tests.learning_samples import fill

Command = Callable[..., Result]


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    yield lambda *words: CliRunner().invoke(app, list(words))
    get_settings.cache_clear()


@pytest.fixture
def registry(settings: Settings) -> ModelRegistry:
    engine = make_engine(settings)
    migrate(engine)
    fill(engine, articles=4, corrections=3)
    registry = ModelRegistry(engine)
    for name in ("v1", "v2", "v3"):
        folder = settings.artefacts / name
        folder.mkdir(parents=True)
        (folder / "adapter_model.safetensors").write_bytes(name.encode())
        registry.register(
            ModelVersionRow(
                version=name,
                artefact_uri=str(folder),
                digest=digest_folder(folder),
                base_model="base",
                base_revision="main",
                dataset_hash="",
                prompt_version="v3",
                prompt_digest="p",
                parent=None,
                config={},
                metrics={"n": 50, "house_rules_pass": 0.9, "entities_right": 1.0, "precision_mean": 0.6},
                created_at=datetime.now(UTC),
            )
        )
    registry.set_alias("champion", "v1", expected_sequence=0, actor="test", reason="first", gate_verdict="none")
    return registry


def test_promotion_and_rollback_move_the_champion_announce_it_and_are_remembered(
    command: Command, registry: ModelRegistry, settings: Settings
) -> None:
    assert command("models", "promote", "v2", "--reason", "it is better").exit_code == 0
    assert command("models", "rollback", "--reason", "it is not").exit_code == 0
    moves = json.loads(command("models", "history", "--json").output)
    assert [(move["version"], move["reason"]) for move in moves] == [
        ("v1", "first"),
        ("v2", "it is better"),
        ("v1", "it is not"),
    ]
    assert registry.unannounced() == []
    events = [decode(record.value, record.headers).event for record in read_whole(settings, ADAPTERS.name)]
    announced = [(event.sequence, event.model_version) for event in events if isinstance(event, Adapter)]
    assert announced == [(1, "v1"), (2, "v2"), (3, "v1")]
    listed = json.loads(command("models", "list", "--json").output)
    assert {row["version"]: row["champion"] for row in listed} == {"v1": True, "v2": False, "v3": False}


def test_a_canary_needs_a_share_and_is_announced_with_it(
    command: Command, registry: ModelRegistry, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote = ("models", "promote", "v2", "--canary", "--reason", "carefully")
    assert "COPYDESK_CANARY_SHARE" in command(*promote).output
    monkeypatch.setenv("COPYDESK_CANARY_SHARE", "0.1")
    get_settings.cache_clear()
    assert command(*promote).exit_code == 0
    (event,) = [
        event
        for event in (decode(record.value, record.headers).event for record in read_whole(settings, ADAPTERS.name))
        if isinstance(event, Adapter) and event.alias == "canary"
    ]
    assert (event.model_version, event.share) == ("v2", 0.1)
    listed = json.loads(command("models", "list", "--json").output)
    assert [(row["version"], row["canary"]) for row in listed if row["champion"] or row["canary"]] == [
        ("v1", False),
        ("v2", True),
    ]


def test_promoting_a_version_that_stood_a_trial_by_hand_remembers_what_it_said(
    command: Command, registry: ModelRegistry, settings: Settings
) -> None:
    trial = settings.home / "trials" / "v2"
    trial.mkdir(parents=True)
    (trial / "gate.json").write_text(json.dumps({"verdict": "refused: names"}))
    (trial / "gate.html").write_text("The report.")
    assert command("models", "promote", "v2", "--reason", "all the same").exit_code == 0
    first, move = json.loads(command("models", "history", "--json").output)
    assert move["gate_verdict"] == "moved by hand; its gate said: refused: names"
    assert (first["report"], move["report"]) == ("", str(trial / "gate.html"))


def test_rolling_back_again_goes_further_back_and_ends_at_the_first(command: Command, registry: ModelRegistry) -> None:
    for version in ("v2", "v3"):
        command("models", "promote", version, "--reason", "better")
    for version in ("v2", "v1"):
        assert command("models", "rollback", "--reason", "worse").exit_code == 0
        champion = registry.alias("champion")
        assert champion is not None
        assert champion.version == version
    refused = command("models", "rollback", "--reason", "worse")
    assert refused.exit_code == 2
    assert "no version before the present one" in refused.output


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"other weights"), "changed or damaged"),
        (lambda folder: (folder / "adapter_model.safetensors").unlink(), "no safetensors"),
        (lambda folder: (folder / "adapter_model.bin").write_bytes(b"a pickle"), "pickle"),
        (shutil.rmtree, "is not there"),
    ],
)
def test_a_version_whose_files_are_not_those_registered_is_refused(
    command: Command, registry: ModelRegistry, settings: Settings, harm: Callable[[Path], object], words: str
) -> None:
    harm(settings.artefacts / "v2")
    refused = command("models", "promote", "v2", "--reason", "it is better")
    assert refused.exit_code == 2
    assert words in " ".join(refused.output.replace("│", " ").split())
    assert [move.version for move in registry.history("champion")] == ["v1"]


def test_promoting_a_version_that_awaits_approval_approves_it_and_the_history_has_its_report(
    command: Command, registry: ModelRegistry, settings: Settings
) -> None:
    run = TrainingRunRow(
        run_id=uuid4(),
        state=AWAITING,
        model_version="v2",
        parent="v1",
        corrections_used=50,
        started_at=datetime.now(UTC),
        finished_at=datetime.now(UTC),
        actor="retrainer",
        explanation="v2 passed the gate and awaits approval",
        gate_report={"verdict": "passed: 90 % of the titles keep all house rules"},
    )
    with transaction(make_engine(settings)) as session:
        session.add(run)
    assert "awaits approval" in command("retrain", "status").output
    assert command("models", "promote", "v2", "--reason", "looks good").exit_code == 0
    move = json.loads(command("models", "history", "--json").output)[-1]
    assert "its gate said: passed: 90 %" in move["gate_verdict"]
    assert move["report"] == "copydesk models show v2"
    made_by = json.loads(command("models", "show", "v2").output)["training_run"]
    assert (made_by["state"], made_by["gate_report"]["verdict"]) == (PROMOTED, run.gate_report["verdict"])


def test_a_dry_run_shows_what_would_be_trained_on_and_writes_nothing(
    command: Command, registry: ModelRegistry, settings: Settings
) -> None:
    said = command("retrain", "run", "--dry-run")
    assert said.exit_code == 0, said.output
    assert "nothing was written" in said.output
    facts = json.loads(command("retrain", "run", "--dry-run", "--json").output)
    assert sum(facts["corrections"].values()) == 3
    assert facts["train"]["curator"] == {"ann": facts["corrections"]["train"]}
    assert not (settings.home / "datasets").exists()
    assert not (settings.home / "runs").exists()


def test_an_unknown_version_is_refused_in_words(command: Command, registry: ModelRegistry) -> None:
    refused = command("models", "promote", "ghost", "--reason", "why not")
    assert refused.exit_code == 2
    assert "ghost" in refused.output
    assert len(registry.history("champion")) == 1


def test_status_says_why_there_is_no_training_now(command: Command, registry: ModelRegistry) -> None:
    said = command("retrain", "status")
    assert said.exit_code == 0
    assert "3 of 50 corrections since the last training, 47 to go" in said.output
    facts = json.loads(command("retrain", "status", "--json").output)
    assert facts["train"] is False
    assert {one["name"]: one["met"] for one in facts["conditions"]}["enough corrections"] is False
