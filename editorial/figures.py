"""Numbers in titles and articles, compared by value: $1.5B is 1.5 billion, 38% is 38 percent, seven is 7.

In a title only digits and great sums in words ("sixty million") are looked at; small number words there ("two faces
of …") are too often a manner of speaking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from editorial.number_words import TEENS, TENS, UNITS, spoken_numbers, spoken_percentages

_SCALES = {
    "k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "mm": 1e6, "mil": 1e6, "million": 1e6, "millions": 1e6,
    "b": 1e9, "bn": 1e9, "billion": 1e9, "billions": 1e9, "t": 1e12, "tn": 1e12, "trillion": 1e12,
}  # fmt: skip
_ROUND = {
    "a": 1,
    "an": 1,
    "dozen": 12,
    "half": 50,
    "quarter": 25,
    "third": 33,
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
}
_WORDS = {**UNITS, **TENS, **TEENS, **_ROUND}
_WORDS_OF_SUMS = {**UNITS, **TEENS, **TENS}  # how a sum begins; "a million reasons" is no sum
_COMPOUND = re.compile(rf"\b({'|'.join(TENS)})[- ]({'|'.join(UNITS)})\b")
_SCALE_WORDS = "|".join(sorted(_SCALES, key=len, reverse=True))
# A digit that a letter leads, directly or by hyphen (GPT-4, Q2, 5G), is part of a name: names.py looks at those.
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_NUMBER = re.compile(
    rf"(?<![\w.,])(?<![A-Za-z][-–.])(?P<digits>{_DIGITS})"
    rf"(?:(?P<glued>(?:{_SCALE_WORDS})\b)|[\s-](?P<scale>thousand|million|billion|trillion|mn|bn)\b)?"
    r"(?![A-Za-z0-9]|[.,]\d)",
    re.IGNORECASE,
)
_LOOSE = re.compile(_DIGITS)
_RANGE = re.compile(
    r"(?<!\d)(\d[\d,.]{0,30})\s*(?:to|and|or|-|–|—)\s*[$€£]?\d[\d,.]*\s?(thousand|million|billion|trillion|[kmb]n?)\b",
    re.IGNORECASE,
)
_LIST_COUNT = re.compile(
    r"(?:[^:]{1,20}:\s)?(?:the |top |our |these |my )*(?P<count>\d{1,3})\s(?!percent|million|billion)"
    r"(?:[\w-]+\s){0,2}?(?P<things>[a-z]{3,}s)\b",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    r"\b(?P<near>about|around|some|nearly|almost|roughly)\s[$€£]?$|"
    r"\b(?P<above>over|more than|at least)\s[$€£]?$|\b(?P<below>under|less than|fewer than|up to|at most)\s[$€£]?$",
    re.IGNORECASE,
)
_ABOUT = 0.1  # of the value; how far off a number may be that the title calls rough
_BEYOND = 0.25  # "more than 200" for 240
_OPENING = 1000  # characters, in which a list says how long it is
_IDIOMS = frozenset({"101", "360", "365"})
_SHORT_YEAR = re.compile(r"[’'](\d\d)\b")


@dataclass(frozen=True)
class Figure:
    """A number as it is written, its value, and half the step of its last written digit (for rounding)."""

    written: str
    value: float
    tolerance: float


def read_figures(text: str) -> list[Figure]:
    """The numbers of a text in order, `40 million` and `$40M` alike as 40 000 000; not those inside names (GPT-4)."""
    return [_figure(match) for match in _NUMBER.finditer(text)]


def foreign_figures(title: str, article: str) -> list[str]:
    """The numbers of the title that the article has neither as such nor more exactly (`$57M` for 56.8 million).

    Two kinds may be missing from an article without being wrong: the count of a list's entries ("9 tips for …"), as
    long as the article does not count the same things otherwise, and a year, unless the article names distant years.
    """
    figures = [match for match in _NUMBER.finditer(title) if _is_money(match) or not _says_nothing(match)]
    sums = [
        sum for sum in spoken_numbers(title.lower()) if sum.big and re.split(r"\W", sum.written)[0] in _WORDS_OF_SUMS
    ]
    if not figures and not sums:
        return []
    known = article_values(article)
    counted = _LIST_COUNT.match(title)
    found = [sum.written for sum in sums if sum.value not in known]
    for match in figures:
        figure = _figure(match)
        if counted and counted.start("count") == match.start("digits") and not _counts(article, counted["things"]):
            continue
        if not _supported(figure, known) and not _plausible_year(match[0], known) and not _roughly(match, known):
            found.append(figure.written)
    return found


def _counts(article: str, things: str) -> bool:
    """True if the article's opening gives a number of these things itself; then the title's number must be that one."""
    number = rf"(?:\d{{1,3}}|{'|'.join([*UNITS, *TEENS, *TENS])})"
    counts = rf"\b{number}\s+(?:[a-z-]+\s+){{0,2}}{re.escape(things)}\b"
    return bool(re.search(counts, article[:_OPENING], re.IGNORECASE))


def _plausible_year(written: str, known: frozenset[float]) -> bool:
    if not re.fullmatch(r"(?:19|20)\d\d", written):
        return False
    years = [value for value in known if 1900 <= value < 2100 and value % 1 == 0]
    return not years or any(abs(int(written) - year) <= 1 for year in years)


def article_values(article: str) -> frozenset[float]:
    """Every value that the article states, in digits or in words, those inside names included."""
    lowered = article.lower()
    values = {figure.value for figure in read_figures(lowered)}
    scaled_spans = [match.span() for match in _NUMBER.finditer(lowered) if match["glued"] or match["scale"]]
    starts = {span[0] for span in scaled_spans}
    values |= {_parse(found[0]) for found in _LOOSE.finditer(lowered) if found.start() not in starts}
    values |= {_parse(number) * _SCALES[scale] for number, scale in _RANGE.findall(lowered) if scale in _SCALES}
    for tens, unit in _COMPOUND.findall(lowered):
        values.add(float(TENS[tens] + UNITS[unit]))
    values |= {spoken.value for spoken in spoken_numbers(lowered)} | spoken_percentages(lowered)
    values |= {float(_WORDS[word]) for word in re.findall(r"[a-z]+", lowered) if word in _WORDS}
    for short in _SHORT_YEAR.findall(lowered):
        values |= {1900.0 + int(short), 2000.0 + int(short)}
    return frozenset(values)


def _supported(figure: Figure, known: frozenset[float]) -> bool:
    if figure.value in known:
        return True
    if figure.value < 10 and figure.tolerance >= 0.5:
        return False  # a small count is exact: 3 is not a rounded 2.7
    near = [value for value in known if abs(figure.value - value) <= figure.tolerance * (1 + 1e-9)]
    return any(value % 1 != 0 or figure.tolerance >= 1 for value in near)


def _roughly(match: re.Match[str], known: frozenset[float]) -> bool:
    """True where the title itself says that the number is rough, and the article has one near enough."""
    hedge = _HEDGE.search(match.string[: match.start()])
    if not hedge:
        return False
    value = _figure(match).value
    low, high = (1, 1 + _BEYOND) if hedge["above"] else (1 - _BEYOND, 1) if hedge["below"] else (1 - _ABOUT, 1 + _ABOUT)
    return any(low * value <= other <= high * value for other in known)


def _says_nothing(match: re.Match[str]) -> bool:
    """True for a manner of speaking (24/7, "101") and for a class of '76."""
    return match[0] in _IDIOMS or match.string[: match.start()].endswith(("’", "'"))


def _is_money(match: re.Match[str]) -> bool:
    return match.string[: match.start()].endswith(("$", "€", "£"))


def _figure(match: re.Match[str]) -> Figure:
    scale = _SCALES[(match["glued"] or match["scale"] or "").lower()] if match["glued"] or match["scale"] else 1.0
    digits = match["digits"].rstrip(",")
    decimals = len(digits.partition(".")[2])
    return Figure(match[0], _parse(digits) * scale, 0.5 * 10.0**-decimals * scale)


def _parse(digits: str) -> float:
    """`1,234.5` as a float; a comma that does not part thousands still counts as nothing."""
    return float(digits.replace(",", "").rstrip(".") or 0)
