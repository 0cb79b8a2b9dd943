"""Which examples make a data set: what is left out and why, who is on which side, how much of the old comes along.

Nothing of a held-out story is trained on, by its id, by a text that is nearly the same, or over others between. All
choices depend on the content alone: the same examples and rules give the same data set, in whatever order they come.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from training.dataset.duplicates import alike, copies, groups, links, signature
from training.dataset.example import HOLDOUT, TRAIN, VALIDATION, Example, Origin, is_held_out, is_validation

LEFT_OUT = "left out: "
TWIN = LEFT_OUT + "its story is nearly the same as a held-out one"
COPY = LEFT_OUT + "nearly the same text as another example"
OLDER = LEFT_OUT + "older than what is new, beyond its share"
ENOUGH = LEFT_OUT + "there is enough of its kind of error"
_PREFERRED = (Origin.correction, Origin.audit, Origin.approval, Origin.teacher, Origin.imported)
"""Of two copies the one is kept whose title took most of a person's care."""


@dataclass(frozen=True)
class Rules:
    """What somebody wants of a data set. The defaults leave nothing out but copies."""

    without_origins: AbstractSet[str] = frozenset()
    without_models: AbstractSet[str] = frozenset()
    without_prompts: AbstractSet[str] = frozenset()
    without_curators: AbstractSet[str] = frozenset()
    without_sources: AbstractSet[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    validation_share: float = 0.0
    """Share of the stories that could be trained on which training only measures itself by."""
    held_out_from: datetime | None = None
    """Stories with a title from then on are held out as well: evaluation on what came after training."""
    new_from: datetime | None = None
    """Where `build` is not told which examples are new: those from then on are; None: all are."""
    older_share: float = 1.0
    """Share of the training examples that may be older than what is new; 1: all of the older ones come along."""
    most_per_tag: int = 0
    """At most so many training examples of one error tag, and so many with none; 0: no limit."""

    def words(self) -> dict[str, Any]:
        """What differs from leaving everything in, for a manifest."""
        given = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) != one.default}
        return {
            name: sorted(value)
            if isinstance(value, AbstractSet)
            else value
            if isinstance(value, int | float)
            else str(value)
            for name, value in given.items()
        }

    def against(self, example: Example) -> str:
        """Why the example is not wanted; empty if it is."""
        for what, value, unwanted in (
            ("origin", example.origin, self.without_origins),
            ("model", example.model_version, self.without_models),
            ("prompt", example.prompt_version, self.without_prompts),
            ("curator", example.curator, self.without_curators),
            ("source", example.source, self.without_sources),
        ):
            if value in unwanted:
                return f"{LEFT_OUT}{what} {value} is not wanted"
        if self.since and (example.at is None or example.at < self.since):
            return f"{LEFT_OUT}from before {self.since:%Y-%m-%d}"
        if self.until and (example.at is None or example.at >= self.until):
            return f"{LEFT_OUT}not from before {self.until:%Y-%m-%d}"
        return ""


@dataclass(frozen=True)
class Built:
    """The examples of a data set, and for every candidate (by its id) its split or why it was left out."""

    examples: tuple[Example, ...]
    fate: Mapping[str, str] = field(default_factory=dict)

    @property
    def left_out(self) -> Counter[str]:
        """How many candidates were left out for each reason."""
        return Counter(words.removeprefix(LEFT_OUT) for words in self.fate.values() if words.startswith(LEFT_OUT))


def build(
    candidates: Iterable[Example],
    rules: Rules,
    *,
    held_out_texts: Iterable[str] = (),
    new: AbstractSet[str] | None = None,
) -> Built:
    """Choose among the candidates. `held_out_texts` are articles that evaluation uses although nobody judged them.

    `new` holds the ids of what is new; None: what `rules.new_from` says.
    """
    fate: dict[str, str] = {}
    wanted: dict[str, Example] = {}
    for example in sorted(candidates, key=lambda one: (one.example_id, one.line)):
        fate[example.example_id] = rules.against(example)
        if not fate[example.example_id]:
            wanted[example.example_id] = example
    fate |= _sides(wanted, rules, held_out_texts)
    trained = [wanted[key] for key in wanted if fate[key] == TRAIN]
    trained = _mark(trained, _replayed(trained, rules, new), OLDER, fate)
    _mark(trained, _balanced(trained, rules.most_per_tag), ENOUGH, fate)
    chosen = (replace(one, split=fate[key]) for key, one in wanted.items() if not fate[key].startswith(LEFT_OUT))
    return Built(tuple(chosen), fate)


def _sides(wanted: Mapping[str, Example], rules: Rules, held_out_texts: Iterable[str]) -> dict[str, str]:
    """For every example its split, or that it is a copy, or the twin of something held out."""
    sketches = {key: signature(example.text) for key, example in wanted.items()}
    others = {f" {number}": signature(text) for number, text in enumerate(held_out_texts)}  # no id begins with a space
    likeness = alike(sketches | others)
    ties = [*links(likeness), *_of_one_story(wanted)]
    fate: dict[str, str] = {}
    for together in groups([*sketches, *others], ties):
        members = [wanted[key] for key in together if key in wanted]
        if not members:
            continue
        late = any(rules.held_out_from and one.at and one.at >= rules.held_out_from for one in members)
        forbidden = late or any(key in others for key in together) or any(_is_held_out(one) for one in members)
        validation = is_validation(min(one.story_id for one in members), rules.validation_share)
        for one in members:
            if late or _is_held_out(one):
                fate[one.example_id] = HOLDOUT
            else:
                fate[one.example_id] = TWIN if forbidden else VALIDATION if validation else TRAIN
    evaluated = [key for key in fate if fate[key] == HOLDOUT]
    learned = [key for key in fate if fate[key] in (TRAIN, VALIDATION)]
    for side in (evaluated, learned):
        for key in copies(sorted(side, key=lambda key: _preference(wanted[key])), likeness):
            fate[key] = COPY
    return fate


def _is_held_out(example: Example) -> bool:
    return example.split == HOLDOUT or is_held_out(example.story_id)


def _of_one_story(wanted: Mapping[str, Example]) -> Iterable[tuple[str, str]]:
    """Examples of one story, or of one article, tied to the first of them."""
    first: dict[object, str] = {}
    for key, example in wanted.items():
        for identity in (("story", example.story_id), ("article", example.article_id)):
            yield first.setdefault(identity, key), key


def _preference(example: Example) -> tuple[int, float, str]:
    """Who comes first is kept: the more careful origin, then the newer title."""
    return _PREFERRED.index(example.origin), -(example.at.timestamp() if example.at else 0.0), example.example_id


def _mark(examples: list[Example], kept: AbstractSet[str], reason: str, fate: dict[str, str]) -> list[Example]:
    for example in examples:
        if example.example_id not in kept:
            fate[example.example_id] = reason
    return [example for example in examples if example.example_id in kept]


def _replayed(trained: Sequence[Example], rules: Rules, new: AbstractSet[str] | None) -> set[str]:
    """The ids of all that is new, and of so much of the older as the share allows: a little of every kind of error."""
    if new is None:
        start = rules.new_from
        new = {one.example_id for one in trained if start is None or (one.at is not None and one.at >= start)}
    older = [one for one in trained if one.example_id not in new]
    fresh = len(trained) - len(older)
    # without anything new there is nothing that the older ones could be a share of
    room = (
        len(older)
        if rules.older_share >= 1 or not fresh
        else round(fresh * rules.older_share / (1 - rules.older_share))
    )
    return {one.example_id for one in trained if one.example_id in new} | set(_spread(older)[:room])


def _spread(examples: Sequence[Example]) -> list[str]:
    """The ids in an order of which every beginning has all kinds of errors, drawn by lot but always the same."""
    by_tag: dict[str, list[str]] = defaultdict(list)
    for example in sorted(examples, key=lambda one: hashlib.sha256(one.example_id.encode()).digest()):
        by_tag["+".join(sorted(example.error_tags))].append(example.example_id)
    turns = [(turn, tag, key) for tag, keys in by_tag.items() for turn, key in enumerate(keys)]
    return [key for _, _, key in sorted(turns)]


def _balanced(trained: Sequence[Example], most: int) -> set[str]:
    """The ids of at most so many examples of every tag, newest first. Who has several tags is kept for any of them."""
    if not most:
        return {one.example_id for one in trained}
    newest = sorted(trained, key=_preference)
    seen: Counter[str] = Counter()
    kept: set[str] = set()
    for example in newest:
        kinds = example.error_tags or ("",)
        if any(seen[kind] < most for kind in kinds):
            kept.add(example.example_id)
            seen.update(kinds)
    return kept
