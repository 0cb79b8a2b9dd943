"""A model's title in place of the one an article had: which articles get one, and which titles are to be learned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from editorial import rules
from editorial.tags import TAG_OF_RULE
from training.dataset import Example, Origin

CURATED = frozenset({Origin.correction, Origin.approval, Origin.audit})
EMPTY = "the model wrote no title"


def in_order(examples: Iterable[Example]) -> list[Example]:
    """The same order every time, which has nothing to do with what the articles say: the first 400 are a sample."""
    return sorted(examples, key=lambda one: hashlib.sha256(one.example_id.encode()).digest())


def faults(title: str, example: Example, *, keep_faulty: bool) -> Iterator[str]:
    """Why the title is not to be learned; the first reason decides."""
    if not title:
        yield EMPTY
    elif not keep_faulty:
        for violation in rules.check(title, example.text, example.language):
            yield f"the model's title breaks a house rule: {TAG_OF_RULE[violation.rule]}"


def labelled(example: Example, title: str, model: str, prompt: str) -> Example:
    """The example with a model's title in place of the one it had."""
    return replace(
        example,
        title=title,
        origin=Origin.teacher,
        error_tags=(),
        curator="",
        title_before="",
        model_version=model,
        prompt_version=prompt,
    )
