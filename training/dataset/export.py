"""A data set in formats that others read: a file per split, or a Hugging Face folder with all of them."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from enum import StrEnum
from itertools import islice
from typing import IO, Any

from fsspec.core import url_to_fs

from schemas.errors import Invalid
from training.dataset.example import SPLITS, Example
from training.dataset.snapshot import Snapshot
from training.dataset.sources import shown

COLUMNS = tuple(one.name for one in fields(Example))
_BATCH = 500


class Format(StrEnum):
    """What others read."""

    jsonl = "jsonl"
    csv = "csv"
    parquet = "parquet"
    hf = "hf"  # Hugging Face `datasets`: load_from_disk
    chat = "chat"  # JSONL of messages, as fine-tuning services and TRL take it


def export(
    snapshot: Snapshot,
    out: str,
    form: Format,
    *,
    splits: Sequence[str] = SPLITS,
    prompt: Callable[[Example], str] = lambda example: example.text,
) -> list[str]:
    """Write the splits to the empty or new folder `out` (any address that fsspec knows); the names of its files.

    `prompt` is what the user says in the chat format. Raises `Invalid` where something is there already.
    """
    try:
        files, folder = url_to_fs(out)
        if files.exists(folder) and (not files.isdir(folder) or files.ls(folder)):
            raise Invalid(f"{shown(out)} is there already and is not an empty folder: name another")
        files.makedirs(folder, exist_ok=True)
    except (ImportError, ValueError, OSError) as error:  # an ImportError names the package that the address needs
        raise Invalid(f"{shown(out)} cannot be written: {error}") from error
    if form is Format.hf:
        _write_hf(snapshot, files.unstrip_protocol(folder), splits)
        return [folder]
    written = []
    for split in splits:
        path = f"{folder.rstrip('/')}/{split}.{'jsonl' if form is Format.chat else form}"
        with files.open(path, "wb") as binary:
            _write(binary, snapshot.stream(split), form, prompt)
        written.append(path)
    return written


def flat(example: Example) -> dict[str, Any]:
    """An example as a row of a table: identities and the time as words, further columns as JSON."""
    values: dict[str, Any] = json.loads(example.line)
    values["columns"] = json.dumps(values["columns"], ensure_ascii=False, sort_keys=True)
    return {name: values[name] for name in COLUMNS}


def _write(binary: IO[bytes], examples: Iterator[Example], form: Format, prompt: Callable[[Example], str]) -> None:
    if form is Format.parquet:
        _write_parquet(binary, examples)
        return
    words = io.TextIOWrapper(binary, encoding="utf-8", newline="")
    if form is Format.csv:
        table = csv.DictWriter(words, COLUMNS)
        table.writeheader()
        table.writerows(_in_words(flat(example)) for example in examples)
    else:
        for example in examples:
            words.write((example.line if form is Format.jsonl else _chat(example, prompt)) + "\n")
    words.flush()
    words.detach()  # the file is its opener's


def _in_words(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"error_tags": json.dumps(row["error_tags"])}


def _chat(example: Example, prompt: Callable[[Example], str]) -> str:
    asked, answered = {"role": "user", "content": prompt(example)}, {"role": "assistant", "content": example.title}
    return json.dumps({"messages": [asked, answered]}, ensure_ascii=False)


def _write_parquet(binary: IO[bytes], examples: Iterator[Example]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"revision": pa.int64(), "error_tags": pa.list_(pa.string())}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    with pq.ParquetWriter(binary, schema) as table:
        while batch := list(islice(examples, _BATCH)):
            table.write_table(pa.Table.from_pylist([flat(example) for example in batch], schema=schema))


def _write_hf(snapshot: Snapshot, address: str, splits: Sequence[str]) -> None:
    from datasets import Dataset, DatasetDict, Features, List, Value, disable_progress_bars

    kinds = {"revision": Value("int64"), "error_tags": List(Value("string"))}
    features = Features({name: kinds.get(name, Value("string")) for name in COLUMNS})
    disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:  # else it would keep a copy in the user's cache folder
        parts = {}
        for split in splits:
            if snapshot.count(split):
                parts[split] = Dataset.from_generator(
                    _flat_rows, gen_kwargs={"snapshot": snapshot, "split": split}, features=features, cache_dir=cache
                )
            else:
                parts[split] = Dataset.from_dict({name: [] for name in COLUMNS}, features=features)
        DatasetDict(parts).save_to_disk(address)


def _flat_rows(snapshot: Snapshot, split: str) -> Iterator[dict[str, Any]]:
    return (flat(example) for example in snapshot.stream(split))
