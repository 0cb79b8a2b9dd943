"""Which words our readers know, as curators' verdicts teach it: the lists of the house rules grow and shrink by it.

A word is learned as specialist when curators strike it for that reason and hardly let it stand elsewhere; one that the
lists accuse is cleared when they let it stand. A word struck together with others bears its share of the blame.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from editorial.acronyms import NOTHING_LEARNED, Vocabulary, jargon, short_forms, word_key, words
from editorial.lexicon import NO_NAMES, OPENERS

FILE = "vocabulary.json"
"""In a model version's artefact: learned with every training, and versioned and digested with it."""

TAG = "jargon_or_acronym"
_ENOUGH_BLAME = 2.0
"""Titles from which the word alone was struck, or twice as many from which it was with another."""
_ENOUGH_STOOD = 3
_CLEAR = 3
"""So many times as often struck as left, or left as struck; in between the verdicts disagree and nothing is learned."""


@dataclass(frozen=True)
class Struck:
    """A title before and after a curator had it; equal when they let it stand. `tags` say what was wrong."""

    before: str
    after: str
    tags: tuple[str, ...] = ()


def learn(verdicts: Iterable[Struck]) -> Vocabulary:
    """From one verdict per title, in any order."""
    blame: defaultdict[str, float] = defaultdict(float)
    titles, stood, accused = Counter[str](), Counter[str](), set[str]()
    for verdict in verdicts:
        after = {word_key(word) for word in words(verdict.after)}
        stood.update(after)
        accused |= {word_key(word) for word in short_forms(verdict.after) + jargon(verdict.after)}
        struck = _suspects(verdict.before, after) if TAG in verdict.tags else frozenset[str]()
        titles.update(struck)
        for key in struck:
            blame[key] += 1 / len(struck)
    return Vocabulary(specialist=_specialist(blame, titles, stood), known=_known(titles, stood, accused))


def _suspects(before: str, after: set[str]) -> frozenset[str]:
    """Words struck that may have been too special; if a short form is among them, nothing else is suspected."""
    struck = [word for word in words(before) if word_key(word) not in after]
    short = frozenset(word_key(word) for word in short_forms(before)) - after
    return short or frozenset(word for word in struck if word.islower()) - OPENERS - NO_NAMES


def _specialist(blame: Mapping[str, float], titles: Counter[str], stood: Counter[str]) -> tuple[str, ...]:
    guilty = (key for key, weight in blame.items() if weight > _ENOUGH_BLAME - 0.01)
    return tuple(sorted(key for key in guilty if titles[key] >= _CLEAR * stood[key]))


def _known(titles: Counter[str], stood: Counter[str], accused: set[str]) -> tuple[str, ...]:
    often = (key for key in accused if stood[key] >= _ENOUGH_STOOD)
    return tuple(sorted(key for key in often if stood[key] >= _CLEAR * titles[key]))


def save(learned: Vocabulary, artefact: Path) -> None:
    """Into a model version's folder."""
    (artefact / FILE).write_text(learned.model_dump_json(indent=1), encoding="utf-8")


def load(artefact: Path) -> Vocabulary:
    """That of a model version; a version from before there was any has learned nothing."""
    file = artefact / FILE
    return Vocabulary.model_validate_json(file.read_bytes()) if file.is_file() else NOTHING_LEARNED
