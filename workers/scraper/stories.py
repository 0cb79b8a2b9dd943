"""Which articles tell the same story? Topic detection by incremental TF-IDF (Allan et al., 1998), kept in memory.

Another newsroom writes other sentences about the same people, products and figures. What two articles share counts the
more the fewer other articles of the last days have it: two that name one little-known product are one story, two that
name a famous company are not. A 64-bit simhash was measured first: it could not tell retold from unrelated stories.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

SAME_STORY = 0.33
"""Cosine from which two articles are one story (tests/unit/workers/scraper/test_stories.py holds what it achieves)."""
WINDOW = timedelta(days=7)
READ_CHARS = 4_000
KEPT_FEATURES = 100
PRIOR_ARTICLES = 50
"""Articles the index behaves as if it had seen: with an empty memory every word would look rare."""
RARE = 50
"""Features that more articles than this have are no reason to compare two."""

_NAME = re.compile(r"[A-Z][\w’'-]*(?: (?:[A-Z][\w’'-]*|\d{1,2}\b))*")
_NUMBER = re.compile(r"\d[\d.,]*\d")
_WORD = re.compile(r"[^\W\d_]{4,}")

Features = Mapping[str, float]


@dataclass(frozen=True)
class Told:
    """An article in the index. `features` maps names, numbers and words to 1 + ln(how often)."""

    story_id: UUID
    features: Features
    seen_at: datetime


def features(headline: str, text: str) -> Features:
    """What identifies a story: names of several words, acronyms, numbers, and plain words. The beginning tells it."""
    whole = f"{headline}. {text[:READ_CHARS]}"
    counts: Counter[str] = Counter(_WORD.findall(whole.casefold()))
    counts.update(f"#{number}" for number in set(_NUMBER.findall(whole)))
    counts.update(f"@{name.casefold()}" for name in _NAME.findall(whole) if " " in name or name.isupper())
    counts.update(f"@{name.casefold()}" for name in _NAME.findall(headline))
    return {feature: round(1 + math.log(count), 2) for feature, count in counts.items()}


class StoryIndex:
    """The stories of the last days. Not thread-safe; one article is asked for and added at a time."""

    def __init__(self) -> None:
        self._told: dict[UUID, Told] = {}
        self._having: defaultdict[str, set[UUID]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._told)

    def story_of(self, article_id: UUID, found: Features) -> UUID:
        """The story that the article tells: its own from before, the nearest one, or a new one named after itself."""
        if known := self._told.get(article_id):
            return known.story_id
        weights = self._weights(found)
        shared: Counter[UUID] = Counter()
        for feature in weights:
            having = self._having.get(feature, ())
            if len(having) <= RARE:
                shared.update(having)
        best, closeness = None, SAME_STORY
        for other, _ in shared.most_common(20):
            similarity = _cosine(weights, self._weights(self._told[other].features))
            if similarity >= closeness:
                best, closeness = other, similarity
        return self._told[best].story_id if best else article_id

    def keep(self, found: Features) -> Features:
        """The features worth remembering: the heaviest ones."""
        heaviest = sorted(self._weights(found).items(), key=lambda pair: (-pair[1], pair[0]))[:KEPT_FEATURES]
        return {feature: found[feature] for feature, _ in heaviest}

    def add(self, article_id: UUID, told: Told) -> None:
        """Remember an article; a revision replaces what was known of it."""
        self._forget(article_id)
        self._told[article_id] = told
        for feature in told.features:
            self._having[feature].add(article_id)

    def prune(self, now: datetime) -> None:
        """Forget what is older than `WINDOW`: next week's story about the same people is another story."""
        for article_id in [key for key, told in self._told.items() if told.seen_at < now - WINDOW]:
            self._forget(article_id)

    def _forget(self, article_id: UUID) -> None:
        if told := self._told.pop(article_id, None):
            for feature in told.features:
                self._having[feature].discard(article_id)
                if not self._having[feature]:
                    del self._having[feature]

    def _weights(self, found: Features) -> dict[str, float]:
        whole = len(self._told) + PRIOR_ARTICLES
        return {
            feature: count * math.log(whole / max(1, len(self._having.get(feature, ()))))
            for feature, count in found.items()
        }


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    dot = sum(weight * other[feature] for feature, weight in one.items() if feature in other)
    length = math.sqrt(sum(w * w for w in one.values()) * sum(w * w for w in other.values()))
    return dot / length if length else 0.0
