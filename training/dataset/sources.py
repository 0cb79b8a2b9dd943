"""Rows from elsewhere, one after the other: files of several formats near or far, and folders of them.

A row that cannot be read comes as a `BadRow` with its place, and reading goes on. What makes the whole file doubtful
(cut off, another format, not there) raises `Invalid`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

from fsspec.core import url_to_fs

from schemas.errors import Invalid

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
HF_MARKS = ("dataset_dict.json", "dataset_info.json")
"""What `save_to_disk` of Hugging Face's `datasets` leaves in its folder."""
LONGEST_FIELD = 64 * 1024 * 1024
_UNDECODED = re.compile("[\udc80-\udcff]")
_BROKEN = (EOFError, OSError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, UnicodeError)


@dataclass(frozen=True)
class Row:
    """One row and where it stands."""

    place: str
    values: Mapping[str, object]


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used, where it stands and why."""

    place: str
    why: str


Rows = Iterator[Row | BadRow]


def read(place: str, *, form: str = "", encoding: str = "utf-8") -> Rows:
    """The rows of a file, a folder, a pattern or an address that fsspec knows (s3://, gs://, https://, hf://…).

    `form` (jsonl, csv, parquet, hf) for names that do not tell. Raises `Invalid`.
    """
    try:
        "".encode(encoding)
    except LookupError:
        raise Invalid(f"there is no encoding {encoding!r}; utf-8, cp1252 and utf-16 are usual ones") from None
    with _reached(place):
        files, paths = _files(place, form)
    for path in paths:
        yield from _read_file(files, path, form or _format(path), encoding)


def shown(place: str) -> str:
    """An address as messages and manifests may show it: without password and signature."""
    parts = urlsplit(place)
    if not parts.netloc:
        return place
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@contextmanager
def _reached(place: str) -> Iterator[None]:
    """Every file system raises something of its own when it cannot be reached."""
    try:
        yield
    except Invalid:
        raise
    except FileNotFoundError as error:
        if isinstance(error.__cause__, OSError):  # for fsspec a server that does not answer is not found either
            raise Invalid(f"{shown(place)} cannot be read: {error.__cause__}") from error
        raise Invalid(f"there is no file or folder {shown(place)}") from None
    except Exception as error:  # an ImportError names the package that this kind of address needs
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        raise Invalid(f"{shown(place)} cannot be read: {reason}") from error


def _files(place: str, form: str) -> tuple[Any, list[str]]:
    files, path = url_to_fs(place)
    if "*" in path:
        paths = [one for one in sorted(files.glob(path)) if not files.isdir(one)]
        if not paths:
            raise Invalid(f"no file fits {shown(place)}")
        return files, paths
    # a web server is not asked for a folder where the name says that it is a file
    if form == "hf" or _format(path, strict=False) or not files.isdir(path):
        return files, [path]
    inside = sorted(files.find(path))
    if any(PurePosixPath(one).name in HF_MARKS for one in inside):
        return files, [path]
    paths = [one for one in inside if _format(one, strict=False) and not PurePosixPath(one).name.startswith((".", "_"))]
    if not paths:
        raise Invalid(f"the folder {shown(place)} has no .jsonl, .csv or .parquet file")
    return files, paths


def _format(path: str, *, strict: bool = True) -> str:
    name = PurePosixPath(path)
    plain = name.with_suffix("") if name.suffix.lower() in COMPRESSED else name
    form = FORMATS.get(plain.suffix.lower(), "")
    if strict and not form and name.suffix:
        raise Invalid(f"{name.name}: what is in it? --format jsonl, csv, parquet or hf")
    return form or ("hf" if strict else "")


def _read_file(files: Any, path: str, form: str, encoding: str) -> Rows:
    name = PurePosixPath(path).name
    if form == "hf":
        yield from _read_hf(files.unstrip_protocol(path), name)
        return
    with ExitStack() as stack:
        with _reached(files.unstrip_protocol(path).removeprefix("file://")):
            binary = stack.enter_context(files.open(path, "rb", compression="infer"))
        if form == "parquet":
            yield from _read_parquet(binary, name)
        else:
            reader: Callable[[IO[str], str], Rows] = _read_csv if form == "csv" else _read_jsonl
            words = io.TextIOWrapper(binary, encoding=_with_mark(encoding), errors="surrogateescape", newline="")
            yield from _whole(partial(reader, words, name), name)


def _with_mark(encoding: str) -> str:
    """Windows programs begin a UTF-8 file with a mark that is no part of its content."""
    return "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding


def _whole(rows: Callable[[], Rows], name: str) -> Rows:
    last = "the first line"
    try:
        for row in rows():
            last = row.place
            yield row
    except _BROKEN as error:
        raise Invalid(f"{name} breaks off or is damaged after {last}: {error}") from error


def _undecoded(words: str) -> str:
    """Why a line was not decoded; empty if it was."""
    found = _UNDECODED.search(words)
    if found is None:
        return ""
    return f"wrong encoding: byte 0x{ord(found[0]) - 0xDC00:02x} at character {found.start() + 1}; name it: --encoding"


def _read_jsonl(lines: IO[str], name: str) -> Rows:
    number = 0
    for line in lines:
        number += 1
        place = f"{name}:{number}"
        if not line.strip():
            continue
        if number == 1 and line.lstrip().startswith("["):  # one JSON list: it cannot be had by lines
            yield from _read_json_list(line + lines.read(), name)
            return
        if trouble := _undecoded(line):
            yield BadRow(place, trouble)
            continue
        yield _row(place, partial(json.loads, line))


def _read_json_list(words: str, name: str) -> Rows:
    if trouble := _undecoded(words):
        raise Invalid(f"{name}: {trouble}")
    try:
        values = json.loads(words)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} begins as a JSON list, but is none: {error}") from None
    for number, value in enumerate(values, start=1):
        yield _row(f"{name}, entry {number}", partial(lambda same: same, value))


def _row(place: str, load: Callable[[], object]) -> Row | BadRow:
    try:
        value = load()
    except (ValueError, RecursionError) as error:
        return BadRow(place, f"broken JSON: {error}")
    if not isinstance(value, dict):
        return BadRow(place, "not a JSON object")
    return Row(place, value)


def _read_csv(lines: IO[str], name: str) -> Rows:
    csv.field_size_limit(LONGEST_FIELD)
    first = lines.readline()
    if trouble := _undecoded(first):
        raise Invalid(f"{name}:1: {trouble}")
    separator = max(",;\t|", key=first.count)
    header = next(csv.reader([first], delimiter=separator), [])
    twice = {column for column in header if header.count(column) > 1}
    if twice:
        raise Invalid(f"{name}: the column {min(twice)!r} is there twice")
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        place = f"{name}:{reader.line_num + 2}"
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(place, f"broken CSV: {error}")
            continue
        if not values:
            continue
        if len(values) != len(header):
            yield BadRow(place, f"{len(values)} fields under {len(header)} column names")
        elif trouble := next(filter(None, map(_undecoded, values)), ""):
            yield BadRow(place, trouble)
        else:
            yield Row(place, dict(zip(header, values, strict=True)))


def _read_parquet(binary: IO[bytes], name: str) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(binary).iter_batches(batch_size=256):
            for values in batch.to_pylist():
                number += 1
                yield Row(f"{name}, row {number}", values)
    except (pa.ArrowException, *_BROKEN) as error:
        raise Invalid(f"{name} is not a whole Parquet file: {str(error).splitlines()[0]}") from error


def _read_hf(address: str, name: str) -> Rows:
    from datasets import Dataset, load_from_disk

    with _reached(address):
        loaded = load_from_disk(address)
    parts: Mapping[str, Dataset] = {"": loaded} if isinstance(loaded, Dataset) else loaded
    for part, rows in parts.items():
        for number, values in enumerate(rows, start=1):
            yield Row(f"{name}{part and '/'}{part}, row {number}", values)
