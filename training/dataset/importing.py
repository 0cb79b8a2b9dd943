"""Rows from elsewhere become a snapshot. The texts wait in a file meanwhile: only a few hundred bytes of each row stay
in memory, so a source may be larger than that.
"""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any
from uuid import UUID, uuid5

from schemas.errors import Invalid
from training.dataset.build import COPY, LEFT_OUT, TWIN
from training.dataset.columns import Columns, Fault, words_of
from training.dataset.duplicates import Signature, alike, copies, groups, links, signature
from training.dataset.example import HOLDOUT, SPLITS, TRAIN, VALIDATION, Example, is_held_out, is_validation
from training.dataset.snapshot import FOLDER, Snapshot, write_ordered
from training.dataset.sources import BadRow, Row, Rows

SHOWN = 10
"""Bad rows that are shown; all are counted."""
_PEEK = 100
"""Rows that are looked at to know the columns."""
RESERVED = "may not be used for training"
_STORIES = UUID("6a0e5c2b-0c5e-4d8f-9d58-5d2f7e3f2a9b")
"""Namespace of stories that a column names."""


@dataclass
class Reading:
    """What was met on the way."""

    read: int = 0
    bad: int = 0
    reserved: int = 0
    """Rows that may not be trained on."""
    shown: list[BadRow] = field(default_factory=list)

    def refuse(self, place: str, why: str) -> None:
        """Count a bad row."""
        self.bad += 1
        if len(self.shown) < SHOWN:
            self.shown.append(BadRow(place, why))


@dataclass(frozen=True)
class Imported:
    """The snapshot, what was read for it, and how many rows were left out for each reason."""

    snapshot: Snapshot
    reading: Reading
    left_out: Mapping[str, int]
    stories: int
    largest_story: int


@dataclass(frozen=True)
class _Waiting:
    """A row whose text waits in the file."""

    offset: int
    article_id: UUID
    story: str


def import_rows(
    rows: Rows,
    columns: Columns,
    home: Path,
    *,
    came_from: str,
    limit: int | None = None,
    strict: bool = False,
    validation_share: float = 0.0,
    held_out_texts: Iterable[str] = (),
    earlier: Snapshot | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Read the rows and write the snapshot; `came_from` goes into its manifest. Raises `Invalid`, and then has written
    nothing: for a column that is not there, for rows of which none is usable, with `strict` for any bad row.

    `earlier` is what the same rows gave before there were so many: stories that are in it stay on their sides.
    """
    reading = Reading()
    (home / FOLDER).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=home / FOLDER) as waiting_room:
        waiting: dict[str, _Waiting] = {}
        signatures: dict[str, Signature] = {}
        again = 0
        for example, story in _examples(itertools.islice(rows, limit), columns, reading, progress):
            if example.example_id in waiting:
                again += 1
                continue
            waiting[example.example_id] = _Waiting(waiting_room.tell(), example.article_id, story)
            signatures[example.example_id] = signature(example.text)
            waiting_room.write((example.line + "\n").encode())
        _judge(reading, usable=len(waiting), strict=strict)
        places, stories = _place(waiting, signatures, _stories(earlier), validation_share, held_out_texts)
        fate = Counter(split for _, split in places.values())
        left_out = Counter({why.removeprefix(LEFT_OUT): n for why, n in fate.items() if why.startswith(LEFT_OUT)})
        if again:
            left_out[COPY.removeprefix(LEFT_OUT)] += again
        if reading.reserved:
            left_out[RESERVED] = reading.reserved
        facts: dict[str, Any] = {
            "made_by": "import",
            "came_from": came_from,
            "rows": {"read": reading.read, "bad": reading.bad, "left_out": dict(left_out)},
            "columns": {"text": columns.text, "target": columns.target, "further": list(columns.further)},
        } | ({"prompt_template": columns.template} if columns.template else {})
        snapshot = write_ordered(_placed(waiting_room, waiting, places), home, facts)
    return Imported(snapshot, reading, left_out, len(stories), max(map(len, stories)))


def _examples(
    rows: Rows, columns: Columns, reading: Reading, progress: Callable[[int], None]
) -> Iterator[tuple[Example, str]]:
    """The usable rows with the story that their own column names; the others are counted."""
    first = list(itertools.islice(rows, _PEEK))
    known = {name for row in first if isinstance(row, Row) for name in row.values}
    if known:
        if not columns.id and "id" in known:
            columns = replace(columns, id="id")
        columns.check(known)
    ids: dict[bytes, str] = {}
    for row in itertools.chain(first, rows):
        reading.read += 1
        progress(reading.read)
        if isinstance(row, BadRow):
            reading.refuse(row.place, row.why)
            continue
        try:
            if not columns.may_be_used(row.values):
                reading.reserved += 1
                continue
            example = columns.example(row.values)
            if columns.id:
                identity = words_of(row.values, columns.id)
                if not identity:
                    raise Fault(f"empty id in column {columns.id!r}")
                earlier = ids.setdefault(blake2b(identity.encode(), digest_size=12).digest(), row.place)
                if earlier != row.place:
                    raise Fault(f"the id {identity[:40]!r} is the one of {earlier}")
            yield example, words_of(row.values, columns.story)
        except Fault as fault:
            reading.refuse(row.place, str(fault))


def _judge(reading: Reading, *, usable: int, strict: bool) -> None:
    if reading.bad and (strict or not usable):
        first = "\n".join(f"  {row.place}: {row.why}" for row in reading.shown)
        more = f"\n  and {reading.bad - len(reading.shown)} more" if reading.bad > len(reading.shown) else ""
        what = "none of the rows can be used" if not usable else f"{reading.bad} bad rows, and --strict allows none"
        raise Invalid(f"{what}; nothing was written:\n{first}{more}")
    if not usable:
        why = f"all {reading.reserved} of them may not be trained on" if reading.reserved else "there is none"
        raise Invalid(f"no row can be used, for {why}; nothing was written")


def _place(
    waiting: Mapping[str, _Waiting],
    signatures: Mapping[str, Signature],
    earlier: Mapping[UUID, UUID],
    validation_share: float,
    held_out_texts: Iterable[str],
) -> tuple[dict[str, tuple[UUID, str]], list[list[str]]]:
    """For every row its story, and its split or why it is left out; and the stories."""
    others = {f" {number}": signature(text) for number, text in enumerate(held_out_texts)}  # no id begins with a space
    likeness = alike({**signatures, **others})
    named: dict[object, str] = {}
    ties = [(named.setdefault(one.article_id, key), key) for key, one in waiting.items()]
    ties += [(named.setdefault(one.story, key), key) for key, one in waiting.items() if one.story]
    stories: list[list[str]] = []
    places: dict[str, tuple[UUID, str]] = {}
    for together in groups([*waiting, *others], [*links(likeness), *ties]):
        story = [key for key in together if key in waiting]
        if not story:
            continue
        stories.append(story)
        story_id = _story_id([waiting[key] for key in story], earlier)
        split = VALIDATION if is_validation(story_id, validation_share) else TRAIN
        if is_held_out(story_id):
            split = HOLDOUT
        elif len(story) < len(together):
            split = TWIN
        places |= dict.fromkeys(story, (story_id, split))
    for side in ((HOLDOUT,), (TRAIN, VALIDATION)):
        for key in copies(sorted(key for key in places if places[key][1] in side), likeness):
            places[key] = places[key][0], COPY
    return places, stories


def _story_id(rows: Sequence[_Waiting], earlier: Mapping[UUID, UUID]) -> UUID:
    """A story that was imported before keeps its id, however many tell it now, and with the id its side."""
    known = {earlier[row.article_id] for row in rows if row.article_id in earlier}
    named = {uuid5(_STORIES, row.story) for row in rows if row.story}
    candidates = known or named or {row.article_id for row in rows}
    return min(candidates, key=lambda one: (not is_held_out(one) if known else False, one.bytes))


def _stories(earlier: Snapshot | None) -> dict[UUID, UUID]:
    """The story of every article in an earlier data set."""
    if earlier is None:
        return {}
    return {one.article_id: one.story_id for split in SPLITS for one in earlier.stream(split)}


def _placed(
    waiting_room: IO[bytes], waiting: Mapping[str, _Waiting], places: Mapping[str, tuple[UUID, str]]
) -> Iterator[Example]:
    for key in sorted(waiting):
        story_id, split = places[key]
        if not split.startswith(LEFT_OUT):
            waiting_room.seek(waiting[key].offset)
            yield replace(Example.from_line(waiting_room.readline()), story_id=story_id, split=split)
