"""Real headlines made wrong in one place each, so that it is known which ones a curator should see."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from infra.newsroom.archive import Line

TRUE, OTHER, NAME, NUMBER = "as published", "another headline of the source", "a name swapped", "a number changed"
KINDS = (OTHER, NAME, NUMBER)
_WORD = re.compile(r"[A-Za-z][A-Za-z\-']+")
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?!\w)")
_ANY_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SHORTEST = 1500  # characters of an article
_READ_FOR_NAMES = 3000


@dataclass(frozen=True)
class Case:
    """A headline over its article; `kind` says what was done to it."""

    kind: str
    title: str
    text: str
    article: int


def cases(lines: Sequence[Line], articles: int, seed: int) -> list[Case]:
    """The published headline of each of so many articles, and with it every way in which it can be made wrong."""
    chance = random.Random(seed)
    lines = list(lines)
    chance.shuffle(lines)
    names = _names(lines[:_READ_FOR_NAMES])
    pool = [word for line in lines for word in _WORD.findall(line.title) if word.lower() in names]
    by_source = defaultdict(list)
    for line in lines:
        by_source[line.source].append(line.title)
    found: list[Case] = []
    counts = Counter[str]()
    for number, line in enumerate(lines):
        if counts[TRUE] >= articles:
            break
        if len(line.text) < _SHORTEST or len(by_source[line.source]) < 2:
            continue
        own = [word for word in _WORD.findall(line.title) if word.lower() in names and word in line.text]
        figures = _changed_numbers(chance, line)
        if not figures and (not own or counts[NAME] > counts[NUMBER] + articles // 3):
            continue  # numbers are rarer than names: as many as there are
        titles = {TRUE: line.title, OTHER: _other(chance, by_source[line.source], line.title)}
        if own:
            titles[NAME] = _with_another_name(chance, line, chance.choice(own), pool)
        if figures:
            titles[NUMBER] = chance.choice(figures)
        counts.update(titles.keys())
        found += [Case(kind, title, line.text, number) for kind, title in titles.items()]
    return found


def _names(lines: Sequence[Line]) -> frozenset[str]:
    """Words that are nearly always written with a capital, wherever in a sentence they stand."""
    capital, small = Counter[str](), Counter[str]()
    for line in lines:
        for sentence in re.split(r"[.!?\n]\s+", line.text):
            for word in _WORD.findall(sentence)[1:]:
                (capital if word[0].isupper() else small)[word.lower()] += 1
    return frozenset(word for word, n in capital.items() if n >= 8 and small[word] < 0.03 * n and len(word) > 2)


def _other(chance: random.Random, titles: Sequence[str], own: str) -> str:
    return chance.choice([title for title in titles if title != own] or [own[::-1]])


def _with_another_name(chance: random.Random, line: Line, name: str, pool: Sequence[str]) -> str:
    other = name
    while other.lower() in line.text.lower():
        other = chance.choice(pool)
    return re.sub(rf"\b{re.escape(name)}\b", other, line.title)


def _changed_numbers(chance: random.Random, line: Line) -> list[str]:
    """The title with one of its numbers changed into one that the article does not have; of 3 perhaps none is left."""
    stated = set(_ANY_NUMBER.findall(line.text))
    titles = []
    for number in _NUMBER.findall(line.title):
        if number not in stated:
            continue
        drawn = ("".join(chance.choice("123456789") if char.isdigit() else char for char in number) for _ in range(50))
        if other := next((one for one in drawn if one not in stated), None):
            titles.append(line.title.replace(number, other, 1))
    return titles
