"""The registry on SQLite: versions do not change, aliases move one step at a time, the history forgets nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import SQLModel, create_engine

from infra.registry import Conflict, ModelRegistry, UnknownVersion, digest_folder
from schemas.records import ModelVersionRow

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{tmp_path / 'registry.db'}")
    SQLModel.metadata.create_all(engine)
    return engine


@pytest.fixture
def registry(engine: Engine) -> ModelRegistry:
    return ModelRegistry(engine, now=lambda: NOW)


def version(name: str, digest: str = "d") -> ModelVersionRow:
    return ModelVersionRow(
        version=name,
        artefact_uri=f"models/{name}",
        digest=digest,
        base_model="base",
        base_revision="main",
        dataset_hash="h",
        prompt_version="v3",
        prompt_digest="p",
        parent=None,
        config={"lr": 0.001},
        metrics={},
        created_at=NOW,
    )


def move(registry: ModelRegistry, name: str, expected: int) -> None:
    registry.set_alias(
        "champion", name, expected_sequence=expected, actor="test", reason="because", gate_verdict="passed"
    )


def test_a_version_is_registered_once_and_never_changed(registry: ModelRegistry) -> None:
    registry.register(version("v1"))
    registry.register(version("v1"))
    with pytest.raises(Conflict, match="other content"):
        registry.register(version("v1", digest="another"))
    assert [row.digest for row in registry.list()] == ["d"]


def test_an_alias_moves_only_from_where_the_caller_saw_it(registry: ModelRegistry) -> None:
    for name in ("v1", "v2", "v3"):
        registry.register(version(name))
    move(registry, "v1", 0)
    move(registry, "v2", 1)
    with pytest.raises(Conflict):
        move(registry, "v3", 1)
    with pytest.raises(Conflict):
        move(registry, "v3", 0)
    now = registry.alias("champion")
    assert now is not None
    assert (now.version, now.sequence) == ("v2", 2)
    assert [(row.sequence, row.version, row.previous_version) for row in registry.history("champion")] == [
        (1, "v1", None),
        (2, "v2", "v1"),
    ]


def test_an_unknown_version_is_refused(registry: ModelRegistry) -> None:
    with pytest.raises(UnknownVersion, match="'ghost'"):
        move(registry, "ghost", 0)
    assert registry.alias("champion") is None


def test_a_move_stays_unannounced_until_it_is_marked(registry: ModelRegistry) -> None:
    registry.register(version("v1"))
    move(registry, "v1", 0)
    assert [row.sequence for row in registry.unannounced()] == [1]
    registry.mark_announced("champion", 1)
    assert registry.unannounced() == []


def test_a_folders_digest_knows_names_and_contents_but_not_its_place(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c", "d")]
    for folder in folders:
        folder.mkdir()
        (folder / "weights").write_bytes(b"123")
    (folders[2] / "weights").write_bytes(b"124")
    (folders[3] / "weights").rename(folders[3] / "weight")
    digests = [digest_folder(folder) for folder in folders]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
