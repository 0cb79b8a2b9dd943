"""`copydesk evaluate` and `copydesk compare`, as a person types them, on a tiny random model and an adapter of it."""

from __future__ import annotations

import csv
import fcntl
import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from copydesk.main import app
from infra.settings import Settings, get_settings
from tests.learning_samples import tale
from training.dataset import HOLDOUT, load_snapshot


@pytest.fixture(scope="module")
def house(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A data folder with a small imported data set and a version that was trained on it; all tests share it."""
    home = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COPYDESK_HOME", str(home))
        environment.setenv("COPYDESK_BASE_MODEL", str(tiny_base))
        environment.setenv("COPYDESK_MAX_ARTICLE_TOKENS", "64")
        environment.setenv("COPYDESK_MAX_TITLE_TOKENS", "8")
        get_settings.cache_clear()
        rows = [{"id": str(n), "text": tale(n).text, "title": tale(n).house_title} for n in range(24)]
        import_rows(home, "rows", rows)
        (home / "mine.yaml").write_text("learning_rate: 5.0e-2\nepochs: 1\nmax_tokens: 512\n")
        run("train", str(home / "mine.yaml"), "--dataset", "rows", "--name", "mine")
        yield get_settings()
    get_settings.cache_clear()


def import_rows(home: Path, name: str, rows: list[dict[str, str]], *words: str) -> None:
    """Rows as a data set of this name."""
    file = home / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run("dataset", "import", str(file), "--name", name, *words)


def run(*words: str, fails: bool = False) -> str:
    result = CliRunner().invoke(app, list(words))
    assert (result.exit_code != 0) == fails, result.output
    return result.stdout if not fails else str(result.exception)


def test_models_are_compared_and_what_was_written_is_never_written_again(house: Settings, tmp_path: Path) -> None:
    out = tmp_path / "report"
    words = ("compare", "base", "mine", "--dataset", "rows", "--out", str(out))
    said = run(*words)
    assert "blind sheet" in said
    assert "do not fit into base with its prompt" in said
    facts = json.loads((out / "report.json").read_text())
    articles = facts["held_out"]["articles"]
    assert articles == facts["held_out"]["with_reference"] >= 3
    base, mine = facts["models"]
    assert (base["name"], base["prompt_version"]) == ("base", "v2")
    assert mine["perplexity"]["low"] <= mine["perplexity"]["mean"] <= mine["perplexity"]["high"]
    assert base["perplexity"] == {}
    assert base["prompts_too_long"] == articles  # the long prompt is more than the tiny model reads
    assert base["measures"]["empty"]["mean"] == 1
    assert mine["prompts_too_long"] == 0
    assert mine["cost"]["tokens_in"] < base["cost"]["tokens_in"]  # the trained one needs the short prompt only
    assert sum(facts["differences"]["mine"]["precision"][key] for key in ("wins", "losses", "ties")) == articles

    files = [next((house.home / "titles").glob(f"{name}-*.jsonl")) for name in ("base", "mine")]
    lines = {file: file.read_text().splitlines() for file in files}
    assert [len(one) for one in lines.values()] == [articles, articles]
    # as a process that was killed while writing leaves it: one line whole, the next one half
    told = json.loads(lines[files[0]][0]) | {"title": "A title that no model wrote"}
    files[0].write_text(json.dumps(told) + "\n" + lines[files[0]][1][:20])
    untouched = files[1].stat().st_mtime_ns
    run(*words)
    assert len(files[0].read_text().splitlines()) == articles
    assert files[1].stat().st_mtime_ns == untouched
    titles = [row["title"] for row in csv.DictReader((out / "titles.csv").read_text("utf-8-sig").splitlines())]
    assert titles.count("A title that no model wrote") == 1
    kept = {json.loads(line)["example_id"]: json.loads(line)["title"] for line in lines[files[0]]}
    again = {json.loads(line)["example_id"]: json.loads(line)["title"] for line in files[0].read_text().splitlines()}
    assert again == kept | {told["example_id"]: told["title"]}


def test_a_damaged_line_among_the_kept_titles_costs_that_title_only(house: Settings, tmp_path: Path) -> None:
    words = ("evaluate", "mine", "--dataset", "rows", "--stories", "4", "--out", str(tmp_path))
    before = set((house.home / "titles").glob("mine-*.jsonl"))
    run(*words)
    (file,) = set((house.home / "titles").glob("mine-*.jsonl")) - before
    whole = [json.loads(line) for line in file.read_text().splitlines()]
    damaged = ("\x00\x00\x00", "null", '{"example_id": "e1"}', json.dumps(whole[1] | {"title": 5}))
    lines = [json.dumps(whole[0]), *damaged, *(json.dumps(row | {"title": "Kept"}) for row in whole[2:])]
    file.write_text("".join(f"{line}\n" for line in lines))
    run(*words)
    rows = csv.DictReader((tmp_path / "titles.csv").read_text("utf-8-sig").splitlines())
    titles = {row["article"]: row["title"] for row in rows}
    assert titles[whole[1]["example_id"]] == whole[1]["title"]
    assert list(titles.values()).count("Kept") == 2


def test_a_second_evaluation_waits_for_the_titles_that_a_first_one_writes(house: Settings, tmp_path: Path) -> None:
    words = ("evaluate", "mine", "--dataset", "rows", "--stories", "5", "--out", str(tmp_path))
    before = set((house.home / "titles").glob("mine-*.jsonl"))
    run(*words)
    (path,) = set((house.home / "titles").glob("mine-*.jsonl")) - before
    told = [json.loads(line) | {"title": "By the first"} for line in path.read_text().splitlines()]
    path.write_text("")
    with path.open("a") as first, ThreadPoolExecutor() as pool:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = pool.submit(run, *words)
        time.sleep(1)
        assert not second.done()
        first.write("".join(json.dumps(row) + "\n" for row in told))
        first.flush()
        fcntl.flock(first, fcntl.LOCK_UN)
        second.result(60)
    assert (tmp_path / "titles.csv").read_text("utf-8-sig").count("By the first") == 5


def test_other_weights_under_the_same_name_are_asked_again(house: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(house.artefacts / "mine", folder)
    before = len(list((house.home / "titles").glob("mine-*.jsonl")))
    run("evaluate", str(folder), "--dataset", "rows", "--stories", "3")
    file = folder / "adapter_model.safetensors"
    save_file({name: weights * -1 for name, weights in load_file(file).items()}, file)
    run("evaluate", str(folder), "--dataset", "rows", "--stories", "3")
    assert len(list((house.home / "titles").glob("mine-*.jsonl"))) == before + 2


def test_a_model_that_was_trained_on_the_same_articles_under_other_ids_is_told(house: Settings, tmp_path: Path) -> None:
    rows = [{"story": f"again {n}", "text": f"  {tale(n).text}\n", "title": tale(n).house_title} for n in range(24)]
    import_rows(house.home, "again", rows, "--story-column", "story")
    out = tmp_path / "report"
    said = run("compare", "base", "mine", "--dataset", "again", "--out", str(out))
    base, mine = json.loads((out / "report.json").read_text())["models"]
    first = {example.text.strip() for example in load_snapshot(house.home, "rows").examples(HOLDOUT)}
    again = [example.text.strip() for example in load_snapshot(house.home, "again").examples(HOLDOUT)]
    assert base["trained_on"] == 0
    assert mine["trained_on"] == sum(text not in first for text in again) > 0
    assert f"mine was trained on {mine['trained_on']} of these articles" in said
    assert f"mine was trained on {mine['trained_on']} of these articles" in (out / "report.html").read_text()


def test_a_base_that_is_not_there_is_told_in_one_sentence(
    house: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COPYDESK_BASE_MODEL", str(tmp_path / "nowhere"))
    get_settings.cache_clear()
    try:
        said = run("evaluate", "base", "--dataset", "rows", fails=True)
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
    assert "cannot be loaded" in said
    assert "COPYDESK_BASE_MODEL" in said
    assert "\n" not in said


def test_what_cannot_be_evaluated_is_told_in_words(house: Settings, tmp_path: Path) -> None:
    assert "nothing is held out" in run("evaluate", "base", fails=True)
    assert "no data set 'ghost'" in run("evaluate", "base", "--dataset", "ghost", fails=True)
    assert "no model 'ghost'" in run("evaluate", "ghost", "--dataset", "rows", fails=True)
    assert "two models" in run("compare", "base", "--dataset", "rows", fails=True)
    file = tmp_path / "file"
    file.touch()
    said = run("evaluate", "mine", "--dataset", "rows", "--out", str(file / "report"), fails=True)
    assert "no report can be written" in said
    assert "--out" in said
    assert "named twice" in run("compare", "base", "base", "--dataset", "rows", fails=True)
