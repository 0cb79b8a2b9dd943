"""`copydesk models try`, as a person types it, on a version of a tiny random model: nonsense, so it is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from copydesk.main import app
from copydesk.trial import verdict_of
from infra.database import make_engine
from infra.registry import CHAMPION, ModelRegistry
from infra.settings import Settings, get_settings
from tests.learning_samples import tale
from training.dataset import HOLDOUT, load_snapshot
from training.gate import MIN_STORIES


@pytest.fixture
def house(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A data folder with an imported data set and a version that was trained on it."""
    monkeypatch.setenv("COPYDESK_HOME", str(tmp_path))
    monkeypatch.setenv("COPYDESK_BASE_MODEL", str(tiny_base))
    monkeypatch.setenv("COPYDESK_MAX_ARTICLE_TOKENS", "64")
    monkeypatch.setenv("COPYDESK_MAX_TITLE_TOKENS", "8")
    monkeypatch.setenv("COPYDESK_TORCH_THREADS", "1")
    get_settings.cache_clear()
    rows = [{"id": str(n), "text": tale(n).text, "title": tale(n).house_title} for n in range(50)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run("dataset", "import", str(tmp_path / "rows.jsonl"), "--name", "rows")
    (tmp_path / "mine.yaml").write_text("prompt_version: v4\nepochs: 0.2\nmax_tokens: 512\n")
    run("train", str(tmp_path / "mine.yaml"), "--dataset", "rows", "--name", "mine")
    yield get_settings()
    get_settings.cache_clear()


def run(*words: str, fails: bool = False) -> str:
    result = CliRunner().invoke(app, list(words))
    assert (result.exit_code != 0) == fails, result.output
    return result.stdout or str(result.exception)


def test_a_version_stands_the_gates_trial_and_is_promoted_in_no_case(house: Settings) -> None:
    held_out = load_snapshot(house.home, "rows").count(HOLDOUT)
    assert held_out > MIN_STORIES
    printed = run("models", "try", "mine", "--dataset", "rows", fails=True)
    assert f"mine was refused, as the first model, by absolute thresholds, on {held_out} held-out stories" in printed
    assert "REFUSES  golden examples" in printed
    assert "met      serving: the model server loads it and answers with it" in printed
    page = (house.home / "trials" / "mine" / "gate.html").read_text()
    assert "golden examples" in page
    assert verdict_of("mine", house).startswith("refused: ")
    registry = ModelRegistry(make_engine(house))
    assert registry.alias(CHAMPION) is None

    assert "only 0 held-out stories" in run("models", "try", "mine", fails=True)  # this house has no articles yet
    registry.set_alias(CHAMPION, "mine", expected_sequence=0, actor="test", reason="test", gate_verdict="none")
    assert "mine is the champion" in run("models", "try", "mine", "--dataset", "rows", fails=True)
    assert "no version 'ghost'" in run("models", "try", "ghost", fails=True)
