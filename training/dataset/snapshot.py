"""Data sets on disk: `<home>/datasets/<hash16>/` with a file per split, and the manifest that makes it whole.

A folder is named by its content: the same rows give the same folder. It is written beside its place and moved there
when it is complete, so a process that is killed leaves nothing that could be taken for a data set.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from infra.folder import write_whole
from schemas.errors import Mendable
from training.dataset.example import HOLDOUT_SHARE, SPLITS, Example

FOLDER = "datasets"
MANIFEST = "manifest.json"
NAMES = "names"
_UNFINISHED = ".unfinished-"
_HASH = re.compile(r"[0-9a-f]{6,64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class UnknownDataset(Mendable):
    """There is no such data set; the message says which there are."""


class DamagedDataset(Mendable):
    """A data set's files are not what its manifest says."""


@dataclass(frozen=True)
class Snapshot:
    """A data set on disk; `hash` (hex) is over the content of its files, `manifest` what is known about it."""

    folder: Path
    hash: str
    manifest: Mapping[str, Any]

    @property
    def prompt_template(self) -> str:
        """The prompt that the data set was imported with; empty if it brought none."""
        return str(self.manifest.get("prompt_template", ""))

    def count(self, split: str) -> int:
        """How many examples a split has."""
        return int(self.manifest["splits"][split]["examples"])

    def stream(self, split: str) -> Iterator[Example]:
        """The examples of a split one by one, in the order of their ids. Raises `DamagedDataset`."""
        digest = hashlib.sha256()
        path = self.folder / f"{split}.jsonl"
        try:
            with path.open("rb") as lines:
                for line in lines:
                    digest.update(line)
                    yield Example.from_line(line)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DamagedDataset(f"{path} cannot be read ({error}): build or import the data set again") from error
        if digest.hexdigest() != self.manifest["splits"][split]["sha256"]:
            raise DamagedDataset(f"{path} was changed since it was written: build or import the data set again")

    def examples(self, split: str) -> tuple[Example, ...]:
        """All examples of a split. Raises `DamagedDataset`."""
        return tuple(self.stream(split))


def write_snapshot(examples: Iterable[Example], home: Path, facts: Mapping[str, Any] | None = None) -> Snapshot:
    """Write the examples below `home`; `facts` go into the manifest. Each example's `split` says which file it is in.

    They are written in the order of their ids: that and the prompt template, if there is one, decide the hash.
    """
    return write_ordered(sorted(examples, key=lambda example: example.example_id), home, facts or {})


def write_ordered(examples: Iterable[Example], home: Path, facts: Mapping[str, Any]) -> Snapshot:
    """As `write_snapshot`, for examples that come in the order of their ids and need not fit into memory."""
    datasets = home / FOLDER
    datasets.mkdir(parents=True, exist_ok=True)
    _clean(datasets)
    beside = datasets / f"{_UNFINISHED}{uuid4().hex}"
    lock = _lock(beside)
    try:
        beside.mkdir()
        splits = _write_splits(examples, beside)
        template = str(facts.get("prompt_template", ""))
        content = json.dumps([[name, splits[name]["sha256"]] for name in SPLITS] + ([template] if template else []))
        digest = hashlib.sha256(content.encode()).hexdigest()
        manifest = {
            "hash": digest,
            "examples": sum(split["examples"] for split in splits.values()),
            "splits": splits,
            "holdout_share": HOLDOUT_SHARE,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        } | dict(facts)
        _write_through(beside / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False))
        place = datasets / digest[:16]
        _move(beside, place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        _lock_file(beside).unlink(missing_ok=True)
        lock.close()
    return open_snapshot(place)


def load_snapshot(home: Path, reference: str) -> Snapshot:
    """The data set of this name, of this hash or its first characters, or in this folder. Raises `UnknownDataset`."""
    datasets = home / FOLDER
    if _NAME.fullmatch(reference) and (named := datasets / NAMES / reference).is_file():
        return open_snapshot(datasets / named.read_text().strip())
    if _HASH.fullmatch(reference):
        found = [one for one in whole_folders(home) if one.name.startswith(reference[:16])]
        found = [one for one in found if str(open_snapshot(one).hash).startswith(reference)]
        if len(found) == 1:
            return open_snapshot(found[0])
        if found:
            raise UnknownDataset(f"{reference} is the beginning of {len(found)} data sets: give more characters of it")
    if (Path(reference) / MANIFEST).is_file():
        return open_snapshot(Path(reference))
    known = ", ".join([*names(home), *(one.name for one in whole_folders(home))][:12])
    raise UnknownDataset(
        f"there is no data set {reference!r}; "
        + (
            f"there are {known}"
            if known
            else "there is none yet: `copydesk dataset import` or `copydesk dataset build`"
        )
    )


def name_snapshot(home: Path, name: str, snapshot: Snapshot) -> None:
    """From now on the name stands for this data set. Raises `UnknownDataset` for a name that cannot be one."""
    check_name(name)
    (home / FOLDER / NAMES).mkdir(parents=True, exist_ok=True)
    write_whole(home / FOLDER / NAMES / name, snapshot.folder.name + "\n")


def check_name(name: str) -> None:
    """Raises `UnknownDataset` for a name that cannot be one, or that would be taken for a hash."""
    if not _NAME.fullmatch(name) or _HASH.fullmatch(name):
        raise UnknownDataset(
            f"{name!r} cannot be a data set's name: letters, digits, '.', '_' and '-', and not only what a hash has"
        )


def names(home: Path) -> dict[str, str]:
    """The names that were given, with the folder's name that each stands for."""
    given = home / FOLDER / NAMES
    files = sorted(given.iterdir()) if given.is_dir() else []
    return {file.name: file.read_text().strip() for file in files if _NAME.fullmatch(file.name)}


def whole_folders(home: Path) -> list[Path]:
    """Every complete data set's folder."""
    return sorted(file.parent for file in (home / FOLDER).glob(f"[0-9a-f]*/{MANIFEST}"))


def open_snapshot(folder: Path) -> Snapshot:
    """The data set in this very folder. Raises `UnknownDataset`, `DamagedDataset`."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if set(manifest["splits"]) != set(SPLITS):
            raise ValueError("it has other splits than this version of Copydesk knows")
        return Snapshot(folder, manifest["hash"], manifest)
    except FileNotFoundError:
        raise UnknownDataset(f"the data set {folder.name} is gone: build or import it again") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedDataset(
            f"{folder / MANIFEST} cannot be read ({error}): build or import the data set again"
        ) from error


def _write_splits(examples: Iterable[Example], folder: Path) -> dict[str, dict[str, Any]]:
    files = {split: (folder / f"{split}.jsonl").open("wb") for split in SPLITS}
    digests = {split: hashlib.sha256() for split in SPLITS}
    origins: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    try:
        for example in examples:
            line = (example.line + "\n").encode()
            files[example.split].write(line)
            digests[example.split].update(line)
            origins[example.split][example.origin] += 1
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    finally:
        for file in files.values():
            file.close()
    return {
        split: {
            "examples": origins[split].total(),
            "origins": dict(origins[split]),
            "sha256": digests[split].hexdigest(),
        }
        for split in SPLITS
    }


def _write_through(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _move(beside: Path, place: Path) -> None:
    """Put a complete folder in its place, unless the same content is there already."""
    try:
        beside.rename(place)
    except OSError:
        if not (place / MANIFEST).is_file():  # somebody took its manifest away: it is no data set any more
            shutil.rmtree(place)
            beside.rename(place)


def _lock_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _lock(folder: Path) -> IO[bytes]:
    """Held as long as somebody writes the folder; the system lets go of it when the process ends, however it ends."""
    handle = _lock_file(folder).open("wb")
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def _clean(datasets: Path) -> None:
    """Remove what killed processes have left."""
    for file in datasets.glob(f"{_UNFINISHED}*.lock"):
        with suppress(OSError), file.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
            shutil.rmtree(file.with_suffix(""), ignore_errors=True)
            file.unlink(missing_ok=True)
