"""What is exported can be read by others, whole, and comes back as it was."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest

from schemas.errors import Invalid
from tests.unit.training.test_dataset_snapshot import FULL, ROWS
from training.dataset import SPLITS, TRAIN, Example, Snapshot, write_snapshot
from training.dataset.columns import Columns
from training.dataset.export import COLUMNS, Format, export, flat
from training.dataset.importing import import_rows
from training.dataset.sources import read


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return write_snapshot(ROWS, tmp_path)


def test_jsonl_is_the_data_set_itself(snapshot: Snapshot, tmp_path: Path) -> None:
    export(snapshot, str(tmp_path / "out"), Format.jsonl)
    for split in SPLITS:
        lines = (tmp_path / "out" / f"{split}.jsonl").read_bytes().splitlines()
        assert tuple(map(Example.from_line, lines)) == snapshot.examples(split)


def test_csv_keeps_breaks_quotes_and_lists(snapshot: Snapshot, tmp_path: Path) -> None:
    export(snapshot, str(tmp_path / "out"), Format.csv)
    with (tmp_path / "out" / "train.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["text"], row["title"]) == (FULL.text, FULL.title)
    assert json.loads(row["error_tags"]) == ["jargon", "quotes"]
    assert json.loads(row["columns"]) == FULL.columns


def test_parquet_has_the_same_columns_for_a_full_and_an_empty_split(tmp_path: Path) -> None:
    snapshot = write_snapshot(ROWS[:1], tmp_path)
    export(snapshot, str(tmp_path / "out"), Format.parquet)
    tables = {split: pq.read_table(tmp_path / "out" / f"{split}.parquet") for split in SPLITS}
    assert [table.num_rows for table in tables.values()] == [1, 0, 0]
    assert len({tuple(table.schema) for table in tables.values()}) == 1
    assert tables[TRAIN].to_pylist() == [flat(FULL)]


def test_hugging_face_loads_it_and_we_read_it_back(snapshot: Snapshot, tmp_path: Path) -> None:
    from datasets import load_from_disk

    (path,) = export(snapshot, str(tmp_path / "out"), Format.hf)
    loaded = load_from_disk(path)
    assert set(loaded) == set(SPLITS)
    assert loaded[TRAIN][0] == flat(FULL)
    assert loaded[TRAIN].column_names == list(COLUMNS)
    made = import_rows(read(path), Columns(id="example_id"), tmp_path, came_from="a test")
    assert (made.reading.read, made.reading.bad) == (3, 0)


@pytest.mark.parametrize("form", [Format.jsonl, Format.csv, Format.parquet])
def test_our_own_import_reads_it(form: Format, snapshot: Snapshot, tmp_path: Path) -> None:
    export(snapshot, str(tmp_path / "out"), form)
    made = import_rows(read(str(tmp_path / "out")), Columns(id="example_id"), tmp_path, came_from="a test")
    assert (made.reading.read, made.reading.bad) == (3, 0)
    assert {one.title for split in SPLITS for one in made.snapshot.examples(split)} == {FULL.title}


def test_chat_is_what_is_asked_and_what_is_to_be_answered(snapshot: Snapshot, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    written = export(snapshot, out, Format.chat, splits=[TRAIN], prompt=lambda one: f"Title for {one.source}?")
    assert [Path(path).name for path in written] == ["train.jsonl"]
    assert json.loads(Path(written[0]).read_text()) == {
        "messages": [
            {"role": "user", "content": "Title for The Gazette?"},
            {"role": "assistant", "content": FULL.title},
        ]
    }


def test_a_bucket_takes_it_as_well(snapshot: Snapshot) -> None:
    bucket = fsspec.filesystem("memory")
    try:
        export(snapshot, "memory://exports/one", Format.jsonl)
        assert bucket.cat("/exports/one/train.jsonl") == (snapshot.folder / "train.jsonl").read_bytes()
    finally:
        bucket.rm("/exports", recursive=True)


def test_nothing_is_written_over(snapshot: Snapshot, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious.txt").write_text("mine")
    for place in (tmp_path / "out", tmp_path / "out" / "precious.txt"):
        with pytest.raises(Invalid, match="is there already"):
            export(snapshot, str(place), Format.csv)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["precious.txt"]
