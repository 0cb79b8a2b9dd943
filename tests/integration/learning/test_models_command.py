"""`copydesk models` and `copydesk retrain status`, with a real database and a real broker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner, Result

from copydesk.main import app
from infra.database import make_engine, migrate
from infra.kafka import read_whole
from infra.registry import ModelRegistry
from infra.settings import Settings, get_settings
from schemas.envelope import decode
from schemas.events import Adapter
from schemas.records import ModelVersionRow
from schemas.topics import ADAPTERS
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
    for name in ("v1", "v2"):
        registry.register(
            ModelVersionRow(
                version=name,
                artefact_uri=f"models/{name}",
                digest=name,
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
    assert {row["version"]: row["champion"] for row in listed} == {"v1": True, "v2": False}


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
