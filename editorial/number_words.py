"""Numbers that are written in words: "two hundred", "half a billion", "two and a half million", "nine out of ten"."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNITS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
TEENS = {
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_SMALL = {**UNITS, **TEENS, **TENS}
_TIMES = {"dozen": 12, "hundred": 100}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {
    "half": 2,
    "third": 3,
    "quarter": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
}
_BIG = "|".join([*_TIMES, *_SCALES])
_ONE = "|".join([*_SMALL, *_TIMES, *_SCALES])
_SPOKEN = re.compile(rf"\b(?:half\s+an?\s+(?:{_BIG})|(?:{_ONE})(?:(?:\s+and\s+a\s+half\b|\s+and)?[\s-]+(?:{_ONE}))*)\b")
_COUNT = rf"(?:\d{{1,15}}|{'|'.join(_SMALL)})"
_RATIO = re.compile(rf"\b({_COUNT})\s+(?:out of|in|of)\s+(?:every\s+)?(?:an?\s+)?({_COUNT}|hundred|thousand)\b")
_FRACTION = re.compile(rf"\b(an?|one|two|three|four|five|six|seven|eight|nine)[\s-]({'|'.join(_PARTS)})(?:s|ves)?\b")


@dataclass(frozen=True)
class Spoken:
    """A number in words, as written, with its value; `big` if it says hundred, million or the like."""

    written: str
    value: float
    big: bool


def spoken_numbers(lowered: str) -> list[Spoken]:
    """The numbers in words of a text in small letters, in order."""
    return [_read(match[0]) for match in _SPOKEN.finditer(lowered)]


def spoken_percentages(lowered: str) -> frozenset[float]:
    """Shares in words as percentages: 90 for nine out of ten, 66.7 for two thirds."""
    ratios = [(_count(part), _count(whole)) for part, whole in _RATIO.findall(lowered)]
    fractions = [(1 if part[0] == "a" else UNITS[part], _PARTS[whole]) for part, whole in _FRACTION.findall(lowered)]
    return frozenset(100 * part / whole for part, whole in ratios + fractions if 0 < part < whole)


def _count(word: str) -> int:
    return int(word) if word.isdecimal() else {**_SMALL, **_TIMES, **_SCALES}[word]


def _read(written: str) -> Spoken:
    total, group = 0.0, 0.0
    words = re.findall(r"[a-z]+", written)
    if words[0] == "half":
        return Spoken(written, 0.5 * _count(words[-1]), big=True)
    for word in words:
        if word in _SMALL:
            group += _SMALL[word]
        elif word == "half":
            group += 0.5
        elif word in _TIMES:
            group = (group or 1) * _TIMES[word]
        elif word in _SCALES:
            total, group = total + (group or 1) * _SCALES[word], 0.0
    return Spoken(written, total + group, big=any(word in _TIMES or word in _SCALES for word in words))
