"""How much of a title is the article's own wording: a model that only copies breaks no rule and is of no use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_WORD = re.compile(r"\w+")


def copied(title: str, article: str) -> float:
    """Share of the title's words that stand in the article as one stretch, in the same order: 1 is a plain copy."""
    words, text = _words(title), " ".join(["", *_words(article), ""])
    longest = 0
    for start in range(len(words)):
        while start + longest < len(words) and " ".join(["", *words[start : start + longest + 1], ""]) in text:
            longest += 1
    return longest / len(words) if words else 0.0


def novel(title: str, article: str) -> float:
    """Share of the title's pairs of neighbouring words that the article does not have."""
    pairs, known = _pairs(_words(title)), set(_pairs(_words(article)))
    return sum(pair not in known for pair in pairs) / len(pairs) if pairs else 0.0


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    return list(pairwise(words))
