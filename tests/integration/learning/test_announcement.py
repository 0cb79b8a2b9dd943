"""A move of the champion is announced once the broker has it, and until then it is not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import SQLModel, create_engine

from infra.kafka import read_whole
from infra.registry import ModelRegistry
from infra.settings import Settings
from schemas.errors import Invalid
from schemas.records import ModelVersionRow
from schemas.topics import ADAPTERS, MAX_MESSAGE_BYTES
from workers.retrainer.announce import announce

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def registry_with_a_champion(home: Path, artefact_uri: str) -> ModelRegistry:
    engine = create_engine(f"sqlite:///{home / 'registry.db'}")
    SQLModel.metadata.create_all(engine)
    registry = ModelRegistry(engine, now=lambda: NOW)
    registry.register(
        ModelVersionRow(
            version="v1",
            artefact_uri=artefact_uri,
            digest="d",
            base_model="base",
            base_revision="main",
            dataset_hash="h",
            prompt_version="v3",
            prompt_digest="p",
            parent=None,
            config={},
            metrics={},
            created_at=NOW,
        )
    )
    registry.set_alias("champion", "v1", expected_sequence=0, actor="test", reason="first", gate_verdict="passed")
    return registry


def test_what_the_broker_has_is_announced_and_not_sent_again(settings: Settings, tmp_path: Path) -> None:
    registry = registry_with_a_champion(tmp_path, "models/v1")
    assert (announce(registry, settings), announce(registry, settings)) == (1, 0)
    assert registry.unannounced() == []
    assert len(list(read_whole(settings, ADAPTERS.name))) == 1


def test_what_the_broker_does_not_take_stays_unannounced(settings: Settings, tmp_path: Path) -> None:
    registry = registry_with_a_champion(tmp_path, "x" * (MAX_MESSAGE_BYTES + 1))
    with pytest.raises(Invalid):
        announce(registry, settings)
    assert [move.version for move in registry.unannounced()] == ["v1"]
