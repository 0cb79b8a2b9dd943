"""A blind sheet: two titles of one article side by side, whose writers only the key beside it names.

People fill in the column `vote` with 1, 2 or = (no preference); what they leave empty does not count.
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from schemas.errors import Invalid
from training.evaluation import Evaluation
from training.statistics import two_sided

SHEET = "blind.csv"
KEY = "blind-key.json"
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


def write_sheet(evaluation: Evaluation, folder: Path) -> int:
    """Write sheet and key; returns the number of rows. Equal titles are no question. The same order every time."""
    shuffle = random.Random(evaluation.held_out.hash)
    rows: list[dict[str, str]] = []
    key: dict[str, list[str]] = {}
    pairs = list(combinations(evaluation.contenders, 2))
    for example in shuffle.sample(evaluation.held_out.examples, len(evaluation.held_out.examples)):
        for pair in pairs:
            one, other = shuffle.sample(pair, 2)
            titles = [side.titles.get(example.example_id) for side in (one, other)]
            if titles[0] is None or titles[1] is None or titles[0].title == titles[1].title:
                continue
            number = str(len(rows) + 1)
            shown = " ".join(example.text.split())[:_SHOWN]
            written = (number, shown, titles[0].title or "(empty)", titles[1].title or "(empty)", "")
            rows.append({name: plain_cell(value) for name, value in zip(_COLUMNS, written, strict=True)})
            key[number] = [one.name, other.name]
    with (folder / SHEET).open("w", newline="", encoding="utf-8-sig") as file:  # so that Excel reads it as UTF-8
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    (folder / KEY).write_text(json.dumps(key, indent=1, ensure_ascii=False), encoding="utf-8")
    return len(rows)


def plain_cell(text: str) -> str:
    """A title from outside must not be taken for a formula by a spreadsheet."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def count_votes(sheet: Path, key: Path) -> list[Count]:
    """Read a filled-in sheet. Raises `Invalid` with the row that cannot be understood."""
    for file in (sheet, key):
        if not file.is_file():
            raise Invalid(f"there is no {file}; the key is the {KEY} that was written with the sheet (--key)")
    writers: dict[str, list[str]] = json.loads(key.read_text(encoding="utf-8"))
    won: Counter[tuple[str, str]] = Counter()
    ties: Counter[tuple[str, str]] = Counter()
    text = sheet.read_text(encoding="utf-8-sig")
    rows = csv.DictReader(text.splitlines(), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    if not rows.fieldnames or not {"row", "vote"} <= set(rows.fieldnames):
        raise Invalid(f"{sheet} needs the columns row and vote")
    seen: set[str] = set()
    for row in rows:
        number, vote = (row["row"] or "").strip(), (row["vote"] or "").strip().lower().lstrip("'")
        if number not in writers or number in seen:
            raise Invalid(f"{sheet}: row {number!r} is {'there twice' if number in seen else 'not in the key'}")
        seen.add(number)
        one, other = writers[number]
        if vote in ("1", "2"):
            won[(one, other) if vote == "1" else (other, one)] += 1
        elif vote in _SAME:
            ties[(min(one, other), max(one, other))] += 1
        elif vote:
            raise Invalid(f"{sheet}: the vote {vote!r} in row {number}: write 1, 2 or =")
    named = {(min(pair), max(pair)) for pair in writers.values()}
    return [
        Count(one, other, a := won[one, other], b := won[other, one], ties[one, other], two_sided(a, b))
        for one, other in sorted(named)
    ]
