"""`copydesk dataset write`: the demo's first model titles articles, so that another can learn from its titles."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid5

import pytest
from typer.testing import CliRunner

from copydesk.main import app
from editorial import rules
from infra.database import make_engine, migrate
from infra.registry import ModelRegistry
from infra.settings import Settings, get_settings
from tests.learning_samples import PRESS, tale
from training.dataset import HOLDOUT, TRAIN, Example, Origin, Snapshot, load_snapshot, write_snapshot
from training.dataset.snapshot import name_snapshot
from workers.retrainer.first import first_champion

ROWS = 24
HEADLINE = "What the publisher wrote above it"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A data folder with the demo's first champion and a data set: two curated titles, the others are publishers'."""
    monkeypatch.setenv("COPYDESK_HOME", str(tmp_path))
    monkeypatch.setenv("COPYDESK_TORCH_THREADS", "1")
    get_settings.cache_clear()
    settings = get_settings()
    engine = make_engine(settings)
    migrate(engine)
    first_champion(ModelRegistry(engine), settings, datetime(2026, 11, 20, tzinfo=UTC))
    name_snapshot(tmp_path, "rows", write_snapshot([example(number) for number in range(ROWS)], tmp_path))
    yield settings
    get_settings.cache_clear()


def example(number: int) -> Example:
    article = uuid5(PRESS, f"row {number}")
    made = Example(str(article), article, 1, article, tale(number).text, HEADLINE, Origin.imported, TRAIN)
    if number < 2:
        return replace(made, title=tale(number).house_title, origin=Origin.correction, curator="ann")
    return replace(made, split=HOLDOUT) if number >= ROWS - 4 else made


def run(*words: str, fails: bool = False) -> str:
    result = CliRunner().invoke(app, ["dataset", *words])
    assert (result.exit_code != 0) == fails, result.output
    return result.stdout if not fails else str(result.exception)


def written(*words: str) -> dict[str, Any]:
    return dict(json.loads(run("write", "rows", "--model", "champion", "--json", *words)))


def origins(snapshot: Snapshot) -> Counter[str]:
    return Counter(str(one.origin) for one in snapshot.examples(TRAIN))


def test_the_model_writes_what_no_curator_wrote_and_its_faults_are_not_learned(house: Settings) -> None:
    made = written("--name", "taught")
    source, taught = load_snapshot(house.home, "rows"), load_snapshot(house.home, "taught")
    assert taught.examples(HOLDOUT) == source.examples(HOLDOUT)
    assert origins(taught) == {"correction": 2, "teacher": made["written"]}
    assert made["written"] + sum(made["left_out"].values()) == ROWS - 4 - 2
    assert all("breaks a house rule: " in why for why in made["left_out"])
    assert made["left_out"]  # the first champion is careless
    for one in taught.examples(TRAIN):
        assert not rules.check(one.title, one.text, one.language)
        assert one.title != HEADLINE
        if one.origin is Origin.teacher:
            assert (one.model_version, one.prompt_version, one.curator) == ("v1", "v3", "")
        else:
            assert one.curator == "ann"


def test_faults_and_curated_titles_are_learned_from_the_model_only_if_asked_for(house: Settings) -> None:
    made = written("--keep-faulty", "--replace-curated")
    taught = load_snapshot(house.home, made["hash"])
    assert origins(taught) == {"teacher": ROWS - 4}
    assert any(rules.check(one.title, one.text, one.language) for one in taught.examples(TRAIN))


def test_what_was_written_is_not_written_again_and_gives_the_same_data_set(house: Settings) -> None:
    first = written()
    [file] = (house.home / "titles").glob("v1-*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) == ROWS - 4 - 2
    file.write_bytes(b"".join(lines[:5]) + lines[5][:30])  # as a process that was killed while writing leaves it
    assert written() == first
    assert file.read_bytes().splitlines(keepends=True)[:5] == lines[:5]
    untouched = file.stat().st_mtime_ns
    assert written() == first
    assert file.stat().st_mtime_ns == untouched


def test_what_cannot_be_written_is_told_in_words(house: Settings) -> None:
    curated = [example(number) for number in range(2)]
    name_snapshot(house.home, "curated", write_snapshot(curated, house.home))
    assert "--replace-curated" in run("write", "curated", "--model", "champion", fails=True)
    assert "no data set 'ghost'" in run("write", "ghost", "--model", "champion", fails=True)
    assert "no model 'ghost'" in run("write", "rows", "--model", "ghost", fails=True)
    assert "cannot be a data set's name" in run("write", "rows", "--model", "champion", "--name", "a/b", fails=True)
    assert "rows" in run("show")
