"""`copydesk train`, as a person types it, on a tiny random model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from copydesk.main import app
from infra.settings import Settings, get_settings
from tests.learning_samples import tale
from training.artefact import find_model, read_manifest


@pytest.fixture
def house(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A data folder with a small imported data set."""
    monkeypatch.setenv("COPYDESK_HOME", str(tmp_path))
    monkeypatch.setenv("COPYDESK_BASE_MODEL", str(tiny_base))
    monkeypatch.setenv("COPYDESK_MAX_ARTICLE_TOKENS", "64")
    get_settings.cache_clear()
    rows = [{"id": str(n), "text": tale(n).text, "title": tale(n).house_title} for n in range(20)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run("dataset", "import", str(tmp_path / "rows.jsonl"), "--name", "rows")
    yield get_settings()
    get_settings.cache_clear()


def run(*words: str, fails: bool = False) -> str:
    result = CliRunner().invoke(app, list(words))
    assert (result.exit_code != 0) == fails, result.output
    return result.output if not fails else str(result.exception)


@pytest.mark.parametrize("method", ["quantization: none", "quantization: 8bit", "quantization: 4bit", "method: full"])
def test_each_method_gives_a_registered_version_that_can_be_found(house: Settings, tmp_path: Path, method: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"{method}\nlearning_rate: 5.0e-3\nepochs: 1\nmax_tokens: 512\n")
    printed = run("train", str(tmp_path / "mine.yaml"), "--dataset", "rows", "--name", "mine")
    assert "copydesk models promote mine" in printed
    found = find_model("mine", house)
    manifest = read_manifest(house.artefacts / "mine")
    assert manifest.dataset_hash == found.dataset_hash != ""
    assert (found.adapter is None) == (method == "method: full")
    assert "mine" in run("models", "list")


def test_what_cannot_be_trained_is_told_in_words(house: Settings, tmp_path: Path) -> None:
    assert "there are" in run("train", "ghost", "--dataset", "rows", fails=True)
    assert "COPYDESK_BASE_MODEL=mistralai" in run("train", "mistral-7b-instruct", "--dataset", "rows", fails=True)
    (tmp_path / "short.yaml").write_text("epochs: 1\nmax_tokens: 512\n")
    run("train", str(tmp_path / "short.yaml"), "--dataset", "rows", "--name", "one")
    assert "another name" in run(
        "train", str(tmp_path / "short.yaml"), "--dataset", "rows", "--name", "one", fails=True
    )


def test_a_base_that_cannot_be_had_is_told_in_words(house: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPYDESK_BASE_MODEL", str(house.home / "ghost"))
    get_settings.cache_clear()
    assert "(COPYDESK_BASE_MODEL) cannot be had" in run("train", "demo", "--dataset", "rows", fails=True)


def test_a_dry_run_says_what_it_will_take_and_trains_nothing(house: Settings, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("max_tokens: 512\nbatch_size: 4\n")

    printed = run("train", str(tmp_path / "mine.yaml"), "--dataset", "rows", "--name", "mine", "--dry-run")

    assert "4 at a time" in printed
    assert "it will fit" in printed
    assert not (house.artefacts / "mine").exists()


def test_what_will_not_fit_is_refused_with_advice_and_can_be_tried_anyway(house: Settings, tmp_path: Path) -> None:
    (tmp_path / "huge.yaml").write_text("max_tokens: 512\nbatch_size: 4\nlora_rank: 900000000\n")
    words = ("train", str(tmp_path / "huge.yaml"), "--dataset", "rows", "--name", "huge")

    assert "will not fit" in run(*words, "--dry-run")
    refused = run(*words, fails=True)
    tried = run(*words, "--anyway", fails=True)  # the adapter's first matrix alone is larger than the memory

    assert "micro_batch_size: 2" in refused
    assert "--anyway" in refused
    assert "out of memory with 4 examples" in tried
    assert "quantization: 4bit" in tried
