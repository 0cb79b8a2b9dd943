"""What a run begins with."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from infra.registry import BARE_BASE
from infra.settings import Settings
from schemas.records import ModelVersionRow
from tests.learning_samples import NOW
from training.recipe import Recipe
from training.run import Run


def champion(version: str, folder: Path) -> ModelVersionRow:
    return ModelVersionRow(
        version=version,
        artefact_uri=str(folder),
        digest="d",
        base_model="base",
        base_revision="main",
        dataset_hash="",
        prompt_version="v3",
        prompt_digest="p",
        parent=None,
        config={},
        metrics={},
        created_at=NOW,
    )


@pytest.mark.parametrize(
    ("version", "file", "is_parent"),
    [("v1", "adapter_config.json", True), ("v1", "config.json", False), (BARE_BASE, "config.json", False)],
    ids=["an adapter", "a whole model", "the bare base"],
)
def test_a_run_starts_from_the_champions_adapter_if_it_has_one(
    tmp_path: Path, version: str, file: str, is_parent: bool
) -> None:
    (tmp_path / file).write_text("{}")
    run = Run(UUID(int=1), "v2", Settings(home=tmp_path), Recipe(), champion(version, tmp_path), print)
    assert run.parent_adapter == (tmp_path if is_parent else None)
    assert Run(UUID(int=1), "v2", Settings(home=tmp_path), Recipe(), None, print).parent_adapter is None
