"""A blind sheet: two titles of one article side by side, whose writers only the key beside it names.

People fill in the column `vote` with 1, 2 or = (no preference); what they leave empty does not count. The ballot is the
same sheet as a page that is voted on in a browser and saves the same file.
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from schemas.errors import Invalid
from training.evaluation import Contender, Evaluation
from training.statistics import two_sided

SHEET = "blind.csv"
BALLOT = "blind.html"
KEY = "blind-key.json"
ROWS = 100
"""As many as one person can judge in half an hour."""
_COLUMNS = ("row", "article", "title 1", "title 2", "vote")
_SHOWN = 600
_SAME = ("=", "0", "tie", "both", "neither")


@dataclass(frozen=True)
class Count:
    """How often people preferred each of two models; `sign_p` is of the exact sign test."""

    first: str
    second: str
    first_won: int
    second_won: int
    ties: int
    sign_p: float


@dataclass(frozen=True)
class Agreement:
    """Of the questions that two or more people answered: how many pairs of answers there are, and how many agree."""

    pairs: int
    agreed: int


def write_sheet(evaluation: Evaluation, folder: Path, most: int = ROWS) -> int:
    """Write sheet, ballot and key; returns the number of rows, at most `most` (0: all). The same order every time."""
    rows: list[dict[str, str]] = []
    key: dict[str, list[str]] = {}
    shuffle = random.Random(evaluation.held_out.hash)
    for text, one, other, titles in _questions(evaluation, shuffle):
        if most and len(rows) == most:
            break
        number = str(len(rows) + 1)
        shown = text if len(text) <= _SHOWN else text[:_SHOWN].rsplit(" ", 1)[0] + " …"
        written = (number, shown, titles[0] or "(empty)", titles[1] or "(empty)", "")
        rows.append(dict(zip(_COLUMNS, written, strict=True)))
        key[number] = [one.name, other.name]
    with (folder / SHEET).open("w", newline="", encoding="utf-8-sig") as file:  # so that Excel reads it as UTF-8
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows({name: plain_cell(value) for name, value in row.items()} for row in rows)
    (folder / KEY).write_text(json.dumps(key, indent=1, ensure_ascii=False), encoding="utf-8")
    environment = Environment(
        loader=PackageLoader("training"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    ballot = environment.get_template("ballot.html").render(rows=rows, sheet=evaluation.held_out.hash[:12])
    (folder / BALLOT).write_text(ballot, encoding="utf-8")
    return len(rows)


def _questions(
    evaluation: Evaluation, shuffle: random.Random
) -> Iterator[tuple[str, Contender, Contender, tuple[str, str]]]:
    """Pairs of different titles: first one of each article, always of the two models that were asked about least."""
    asked: Counter[tuple[str, str]] = Counter()
    examples = shuffle.sample(evaluation.held_out.examples, len(evaluation.held_out.examples))
    left = [(example, _different(evaluation.contenders, example.example_id)) for example in examples]
    while any(pairs for _, pairs in left):
        for example, pairs in left:
            if pairs:
                chosen = min(pairs, key=lambda pair: asked[(pair[0].name, pair[1].name)])
                pairs.remove(chosen)
                asked[(chosen[0].name, chosen[1].name)] += 1
                one, other = shuffle.sample(chosen, 2)
                titles = (one.titles[example.example_id].title, other.titles[example.example_id].title)
                yield " ".join(example.text.split()), one, other, titles


def _different(contenders: Sequence[Contender], key: str) -> list[tuple[Contender, Contender]]:
    """The pairs of models whose titles of this article are not the same."""
    having = [one for one in contenders if key in one.titles]
    return [pair for pair in combinations(having, 2) if pair[0].titles[key].title != pair[1].titles[key].title]


def plain_cell(text: str) -> str:
    """A title from outside must not be taken for a formula by a spreadsheet."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def count_votes(sheets: Sequence[Path], key: Path) -> tuple[list[Count], Agreement]:
    """Read filled-in sheets, one per person. Raises `Invalid` with the row that cannot be understood."""
    writers = _key(key)
    won: Counter[tuple[str, str]] = Counter()
    ties: Counter[tuple[str, str]] = Counter()
    answers: dict[str, Counter[str]] = {}
    for sheet in sheets:
        for number, vote in _votes(sheet, writers).items():
            one, other = writers[number]
            if vote == "=":
                ties[(min(one, other), max(one, other))] += 1
            else:
                won[(one, other) if vote == "1" else (other, one)] += 1
            answers.setdefault(number, Counter())[vote] += 1
    if not answers:
        raise Invalid("nobody has voted yet: fill in the column `vote` with 1, 2 or =")
    named = {(min(pair), max(pair)) for pair in writers.values()}
    counts = [
        Count(one, other, a := won[one, other], b := won[other, one], ties[one, other], two_sided(a, b))
        for one, other in sorted(named)
    ]
    pairs = sum(of_row.total() * (of_row.total() - 1) // 2 for of_row in answers.values())
    agreed = sum(count * (count - 1) // 2 for of_row in answers.values() for count in of_row.values())
    return counts, Agreement(pairs, agreed)


def _key(file: Path) -> dict[str, tuple[str, str]]:
    _there(file)
    try:
        read = json.loads(file.read_bytes())
        return {str(number): (str(one), str(other)) for number, (one, other) in read.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise Invalid(f"{file} is not the {KEY} that was written with the sheet: {error}") from error


def _votes(sheet: Path, writers: dict[str, tuple[str, str]]) -> dict[str, str]:
    """By row; rows without a vote are left out."""
    _there(sheet)
    try:
        text = sheet.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"{sheet} is no text in UTF-8: save it from the spreadsheet as “CSV UTF-8”") from error
    rows = csv.DictReader(text.splitlines(), delimiter=_delimiter(text))
    if not rows.fieldnames or not {"row", "vote"} <= set(rows.fieldnames):
        raise Invalid(f"{sheet} needs the columns row and vote")
    found: dict[str, str] = {}
    seen: set[str] = set()
    for row in rows:
        number, vote = (row["row"] or "").strip(), (row["vote"] or "").strip().lower().lstrip("'")
        if number not in writers or number in seen:
            raise Invalid(f"{sheet}: row {number!r} is {'there twice' if number in seen else 'not in the key'}")
        seen.add(number)
        if vote and vote not in ("1", "2", *_SAME):
            raise Invalid(f"{sheet}: the vote {vote!r} in row {number}: write 1, 2 or =")
        if vote:
            found[number] = "=" if vote in _SAME else vote
    return found


def _delimiter(text: str) -> str:
    """What the spreadsheet took, by the head."""
    head = text.partition("\n")[0]
    return max((",", ";", "\t"), key=head.count)


def _there(file: Path) -> None:
    if not file.is_file():
        raise Invalid(f"there is no {file}; the key is the {KEY} that was written with the sheet (--key)")
