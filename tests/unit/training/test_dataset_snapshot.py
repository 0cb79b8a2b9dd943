"""A data set on disk is whole or not there, found by name or hash, and never silently another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from training.dataset import (
    HOLDOUT,
    SPLITS,
    TRAIN,
    VALIDATION,
    DamagedDataset,
    Example,
    Origin,
    UnknownDataset,
    load_snapshot,
    write_snapshot,
)
from training.dataset.describe import compare, describe
from training.dataset.snapshot import name_snapshot, whole_folders, write_ordered

FULL = Example(
    example_id="0001",
    article_id=UUID(int=1),
    revision=3,
    story_id=UUID(int=2),
    text="First line.\nSecond line\u2028with a strange break, “quotes” and 🙂.",
    title='A "title"\\ with everything',
    origin=Origin.audit,
    split=TRAIN,
    source="The Gazette",
    language="en",
    at=datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC),
    error_tags=("jargon", "quotes"),
    curator="ann",
    title_before="Before",
    model_version="v1",
    prompt_version="v3",
    columns={"summary": "Short.", "id": "7"},
)
ROWS = [
    FULL,
    replace(FULL, example_id="0002", article_id=UUID(int=3), split=VALIDATION, at=None),
    replace(FULL, example_id="0003", article_id=UUID(int=4), split=HOLDOUT, origin=Origin.teacher, curator=""),
]


def test_every_field_comes_back_as_it_was(tmp_path: Path) -> None:
    written = write_snapshot(ROWS, tmp_path)
    read = load_snapshot(tmp_path, written.hash)
    assert [one for split in SPLITS for one in read.examples(split)] == ROWS
    assert (read.hash, read.count(TRAIN), read.prompt_template) == (written.hash, 1, "")


def test_the_same_content_is_the_same_folder_and_the_split_and_the_template_are_content(tmp_path: Path) -> None:
    first = write_snapshot(ROWS, tmp_path, {"made_by": "build"})
    assert write_snapshot(ROWS[::-1], tmp_path, {"made_by": "import"}).folder == first.folder
    moved = write_snapshot([replace(FULL, split=HOLDOUT), *ROWS[1:]], tmp_path)
    asked = write_snapshot(ROWS, tmp_path, {"prompt_template": "Title: {text}"})
    assert len({first.hash, moved.hash, asked.hash}) == 3
    assert load_snapshot(tmp_path, asked.hash).prompt_template == "Title: {text}"
    assert sorted(path.name for path in (tmp_path / "datasets").iterdir()) == sorted(
        one.hash[:16] for one in (first, moved, asked)
    )


def test_it_is_found_by_name_by_the_beginning_of_its_hash_and_by_its_folder(tmp_path: Path) -> None:
    snapshot = write_snapshot(ROWS, tmp_path)
    name_snapshot(tmp_path, "ai-news", snapshot)
    for reference in ("ai-news", snapshot.hash, snapshot.hash[:16], snapshot.hash[:8], str(snapshot.folder)):
        assert load_snapshot(tmp_path, reference).folder == snapshot.folder
    other = write_snapshot(ROWS[:1], tmp_path)
    name_snapshot(tmp_path, "ai-news", other)
    assert load_snapshot(tmp_path, "ai-news").hash == other.hash


@pytest.mark.parametrize("reference", ["nothing", "deadbeef", "..", "../datasets", "", "/"])
def test_an_unknown_one_says_which_there_are(reference: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownDataset, match="there is none yet"):
        load_snapshot(tmp_path, reference)
    name_snapshot(tmp_path, "ai-news", write_snapshot(ROWS, tmp_path))
    with pytest.raises(UnknownDataset, match="ai-news"):
        load_snapshot(tmp_path, reference)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "deadbeef", ".hidden", "a b", "x" * 101])
def test_a_name_that_is_a_path_or_looks_like_a_hash_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownDataset, match="cannot be a data set's name"):
        name_snapshot(tmp_path, name, write_snapshot(ROWS, tmp_path))


@pytest.mark.parametrize(
    "change", [lambda words: words.replace(b"Short", b"Shart"), lambda words: words[:-20], lambda words: words * 2]
)
def test_a_changed_file_is_refused(change: object, tmp_path: Path) -> None:
    snapshot = write_snapshot(ROWS, tmp_path)
    file = snapshot.folder / "train.jsonl"
    file.write_bytes(change(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(DamagedDataset, match=r"train\.jsonl"):
        load_snapshot(tmp_path, snapshot.hash).examples(TRAIN)


@pytest.mark.parametrize("words", ["", "{", "[]", '{"splits": {}}'])
def test_a_manifest_that_is_none_is_refused(words: str, tmp_path: Path) -> None:
    snapshot = write_snapshot(ROWS, tmp_path)
    (snapshot.folder / "manifest.json").write_text(words)
    with pytest.raises(DamagedDataset, match="manifest"):
        load_snapshot(tmp_path, str(snapshot.folder))


def test_trouble_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def breaking() -> Iterator[Example]:
        yield FULL
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_ordered(breaking(), tmp_path, {})
    assert list((tmp_path / "datasets").iterdir()) == []


WRITER = """
import sys, time
from pathlib import Path
from tests.unit.training.test_dataset_snapshot import FULL
from training.dataset.snapshot import write_ordered
def rows():
    yield FULL
    print("half", flush=True)
    time.sleep(60)
write_ordered(rows(), Path(sys.argv[1]), {})
"""


def test_kill_9_in_the_middle_leaves_nothing_that_could_be_taken_for_a_data_set(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half\n"
        beside = write_snapshot(ROWS[1:], tmp_path)
        assert len(list((tmp_path / "datasets").iterdir())) == 3, "a living writer's folder and lock are left alone"
        os.kill(writer.pid, signal.SIGKILL)
    assert whole_folders(tmp_path) == [beside.folder]
    with pytest.raises(UnknownDataset):
        load_snapshot(tmp_path, str(next((tmp_path / "datasets").glob(".unfinished-*"))))
    snapshot = write_snapshot(ROWS, tmp_path)
    assert load_snapshot(tmp_path, snapshot.hash).examples(TRAIN) == (FULL,)
    assert sorted(path.name for path in (tmp_path / "datasets").iterdir()) == sorted(
        [beside.folder.name, snapshot.folder.name]
    )


def test_a_folder_that_lost_its_manifest_is_made_again(tmp_path: Path) -> None:
    snapshot = write_snapshot(ROWS, tmp_path)
    (snapshot.folder / "manifest.json").unlink()
    (snapshot.folder / "train.jsonl").write_text("half")
    with pytest.raises(UnknownDataset):
        load_snapshot(tmp_path, snapshot.hash)
    assert write_snapshot(ROWS, tmp_path).examples(TRAIN) == (FULL,)


def test_it_is_counted_by_everything_that_is_known_of_a_row(tmp_path: Path) -> None:
    found = describe(write_snapshot(ROWS, tmp_path))
    assert found.examples == {TRAIN: 1, VALIDATION: 1, HOLDOUT: 1}
    assert found.by["origin"] == {"audit": {TRAIN: 1, VALIDATION: 1}, "teacher": {HOLDOUT: 1}}
    assert found.by["curator"] == {"ann": {TRAIN: 1, VALIDATION: 1}, "nobody": {HOLDOUT: 1}}
    assert set(found.by["error tag"]) == {"jargon", "quotes"}


def test_two_are_compared_by_their_articles(tmp_path: Path) -> None:
    corrected = replace(FULL, example_id="0009", title="Better", error_tags=("jargon",))
    new = replace(FULL, example_id="0010", article_id=UUID(int=9))
    before, after = write_snapshot(ROWS, tmp_path), write_snapshot([corrected, ROWS[1], new], tmp_path)
    difference = compare(before, after)
    assert [one.example_id for one in difference.came] == ["0010"]
    assert [one.example_id for one in difference.went] == ["0003"]
    assert [(one.fields, one.after.title) for one in difference.changed] == [(("title", "error_tags"), "Better")]
    assert difference.same == 1
    manifest = json.loads((before.folder / "manifest.json").read_text())
    assert manifest["splits"][TRAIN]["origins"] == {"audit": 1}
