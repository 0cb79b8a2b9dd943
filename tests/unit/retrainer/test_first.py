"""What serves before anything was trained."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import SQLModel, create_engine

from infra.registry import CHAMPION, ModelRegistry
from infra.settings import Settings
from workers.retrainer.first import first_champion

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    engine = create_engine(f"sqlite:///{tmp_path / 'registry.db'}")
    SQLModel.metadata.create_all(engine)
    return ModelRegistry(engine)


def test_the_demos_base_starts_with_the_adapter_that_comes_along(registry: ModelRegistry) -> None:
    first_champion(registry, Settings(), NOW)
    first_champion(registry, Settings(), NOW)
    [move] = registry.history(CHAMPION)
    assert (move.version, move.actor, move.previous_version) == ("v1", "copydesk", None)
    version = registry.get("v1")
    assert version is not None
    assert Path(version.artefact_uri, "adapter_model.safetensors").is_file()
    assert version.base_model == "copydesk-demo-base"


def test_any_other_base_starts_as_it_is_with_the_prompt_that_names_the_rules(registry: ModelRegistry) -> None:
    first_champion(registry, Settings(base_model="HuggingFaceH4/zephyr-7b-beta", base_revision="r1"), NOW)
    version = registry.get("base")
    assert version is not None
    assert (version.artefact_uri, version.base_revision) == ("HuggingFaceH4/zephyr-7b-beta", "r1")
    assert version.prompt_version == "v2"


def test_a_champion_stays_champion(registry: ModelRegistry) -> None:
    first_champion(registry, Settings(base_model="some/base"), NOW)
    first_champion(registry, Settings(), NOW)
    assert [move.version for move in registry.history(CHAMPION)] == ["base"]
