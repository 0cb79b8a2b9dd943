"""What is in a data set, counted; and what makes two of them different."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from uuid import UUID

from training.dataset.example import SPLITS, Example
from training.dataset.snapshot import Snapshot

_COMPARED = ("split", "title", "text", "origin", "error_tags", "curator", "story_id", "columns")


@dataclass(frozen=True)
class Description:
    """Counts of examples per split: of all, and by origin, error tag, curator, publisher, model and prompt."""

    examples: dict[str, int]
    stories: dict[str, int]
    by: dict[str, dict[str, Counter[str]]]
    """What is counted, then its value, then the split."""


@dataclass(frozen=True)
class Change:
    """An article that is in both data sets, and what is different about it: name, before, after."""

    before: Example
    after: Example
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """What came, what went and what changed. Articles are compared, for their examples get new ids with new titles."""

    came: tuple[Example, ...]
    went: tuple[Example, ...]
    changed: tuple[Change, ...]
    same: int


def describe(snapshot: Snapshot) -> Description:
    """Count everything once. Raises `DamagedDataset`."""
    examples: dict[str, int] = {}
    stories: dict[str, int] = {}
    by: dict[str, dict[str, Counter[str]]] = {}
    for split in SPLITS:
        number, seen = 0, set()
        for example in snapshot.stream(split):
            number += 1
            seen.add(example.story_id)
            for what, values in _kinds(example):
                for value in values:
                    by.setdefault(what, {}).setdefault(value, Counter())[split] += 1
        examples[split], stories[split] = number, len(seen)
    return Description(examples, stories, by)


def _kinds(example: Example) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "origin", (example.origin,)
    yield "error tag", example.error_tags or ("none",)
    yield "curator", (example.curator or "nobody",)
    yield "source", (example.source or "unknown",)
    yield "model", (example.model_version or "none",)
    yield "prompt", (example.prompt_version or "none",)


def first_rows(snapshot: Snapshot, number: int) -> tuple[Example, ...]:
    """So many examples of every split."""
    return tuple(example for split in SPLITS for example in islice(snapshot.stream(split), number))


def compare(before: Snapshot, after: Snapshot) -> Difference:
    """The way from one data set to another. Texts are compared by their hashes and are not in the answer."""
    old, new = _by_article(before), _by_article(after)
    common = [key for key in old if key in new]
    changes = (
        Change(
            old[key],
            new[key],
            tuple(name for name in _COMPARED if getattr(old[key], name) != getattr(new[key], name)),
        )
        for key in common
    )
    changed = tuple(change for change in changes if change.fields)
    return Difference(
        came=tuple(new[key] for key in new if key not in old),
        went=tuple(old[key] for key in old if key not in new),
        changed=changed,
        same=len(common) - len(changed),
    )


def _by_article(snapshot: Snapshot) -> dict[tuple[UUID, int], Example]:
    """Every example by its article; further ones of the same article by their number."""
    found: dict[tuple[UUID, int], Example] = {}
    seen: Counter[UUID] = Counter()
    for split in SPLITS:
        for example in snapshot.stream(split):
            short = replace(example, text=sha256(example.text.encode()).hexdigest())
            found[example.article_id, seen[example.article_id]] = short
            seen[example.article_id] += 1
    return found
