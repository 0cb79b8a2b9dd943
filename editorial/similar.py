"""Examples by similarity: articles with the titles that curators gave them, found by what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from editorial.embedding import Vectors

MOST = 5_000
"""Examples on the shelf; the oldest make room."""


@dataclass(frozen=True)
class Curated:
    """An article whose title a curator wrote or approved."""

    article_id: UUID
    story_id: UUID
    text: str
    title: str


class Shelf:
    """Examples with their vectors. Not for use by several threads at once."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._examples: dict[UUID, Curated] = {}  # the newest at the end
        self._vectors: dict[UUID, Vectors] = {}
        self._matrix: Vectors | None = None

    def __len__(self) -> int:
        return len(self._examples)

    def vector_of(self, example: Curated) -> Vectors | None:
        """The vector of an article that stands there already with the same text."""
        known = self._examples.get(example.article_id)
        return self._vectors[example.article_id] if known and known.text == example.text else None

    def put(self, example: Curated, vector: Vectors) -> None:
        """Add an example; a newer title of an article takes the place of the older one."""
        self.remove(example.article_id)
        self._examples[example.article_id], self._vectors[example.article_id] = example, vector
        if len(self._examples) > self._most:
            self.remove(next(iter(self._examples)))

    def remove(self, article_id: UUID) -> None:
        """Forget an article; harmless if it is not there."""
        if self._examples.pop(article_id, None) is not None:
            del self._vectors[article_id]
        self._matrix = None

    def nearest(self, vector: Vectors, count: int, least: float, *, story_id: UUID) -> list[Curated]:
        """At most `count` examples with a cosine of at least `least`, the nearest last: right before the article. No
        two tell the same story, and none tells `story_id`.
        """
        if not self._examples:
            return []
        if self._matrix is None:
            self._matrix = np.stack(list(self._vectors.values()))
        examples, cosines = list(self._examples.values()), self._matrix @ vector
        found: list[Curated] = []
        for place in np.argsort(-cosines, kind="stable"):
            if len(found) == count or cosines[place] < least:
                break
            example = examples[place]
            if example.story_id not in {story_id, *(one.story_id for one in found)}:
                found.append(example)
        return found[::-1]


def shown(examples: Sequence[Curated], characters: int = 160) -> list[tuple[str, str]]:
    """What a prompt says of each: how the article begins, and its title."""
    return [(_beginning(one.text, characters), one.title) for one in examples]


def _beginning(text: str, characters: int) -> str:
    flat = " ".join(text[: 4 * characters].split())
    return flat if len(flat) <= characters else flat[:characters].rpartition(" ")[0] + " …"
