"""The blind sheet, its ballot, and the votes that come back."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from schemas.errors import Invalid
from tests.evaluation_samples import EXAMPLES, contender, two_models
from training.evaluation import Evaluation
from training.held_out import HeldOut
from training.votes import BALLOT, KEY, SHEET, count_votes, write_sheet


@pytest.fixture
def evaluation() -> Evaluation:
    return two_models()


def test_votes_are_counted_for_the_model_that_the_key_names(evaluation: Evaluation, tmp_path: Path) -> None:
    assert write_sheet(evaluation, tmp_path) == 8
    sheet = tmp_path / SHEET
    key = json.loads((tmp_path / KEY).read_text())
    assert {tuple(pair) for pair in key.values()} == {("base", "v9"), ("v9", "base")}
    rows = read(sheet)
    for number, row in enumerate(rows):  # five for v9, one for base, one draw, one left open
        wanted = "v9" if number < 5 else "base"
        row["vote"] = str(key[row["row"]].index(wanted) + 1) if number < 6 else "=" if number == 6 else ""
    fill(sheet, rows)
    (count,), agreement = count_votes([sheet], tmp_path / KEY)
    assert (count.first, count.first_won, count.second, count.second_won, count.ties) == ("base", 1, "v9", 5, 1)
    assert agreement.pairs == 0


@pytest.mark.parametrize("file", [SHEET, BALLOT])
def test_neither_sheet_nor_ballot_says_who_wrote_a_title(tmp_path: Path, file: str) -> None:
    models = (contender("model-x", ["Old"] * 8, 0.3), contender("model-y", ["New"] * 8, 0.3))
    assert write_sheet(Evaluation(HeldOut("some", "ab" * 32, EXAMPLES), models), tmp_path) == 8
    assert "model-" not in (tmp_path / file).read_text("utf-8-sig")
    assert "model-" in (tmp_path / KEY).read_text()


def test_people_are_asked_first_about_every_article_and_every_pair_of_models_in_turn(tmp_path: Path) -> None:
    models = [contender(name, [f"{name} {at}" for at in range(8)], 0.3) for name in ("one", "two", "three", "four")]
    write_sheet(Evaluation(HeldOut("some", "ab" * 32, EXAMPLES), tuple(models)), tmp_path, most=12)
    rows = read(tmp_path / SHEET)
    assert len(rows) == 12
    assert len({row["article"] for row in rows[:8]}) == 8
    asked = Counter(frozenset(pair) for pair in json.loads((tmp_path / KEY).read_text()).values())
    assert set(asked.values()) == {2}  # six pairs of models, twelve questions


def test_a_sheet_can_hold_all_questions(tmp_path: Path) -> None:
    models = [contender(name, [f"{name} {at}" for at in range(8)], 0.3) for name in ("one", "two", "three")]
    evaluation = Evaluation(HeldOut("some", "ab" * 32, EXAMPLES), tuple(models))
    assert write_sheet(evaluation, tmp_path, most=0) == 24
    assert len({(row["article"], row["title 1"], row["title 2"]) for row in read(tmp_path / SHEET)}) == 24


def test_several_people_vote_and_their_agreement_is_told(evaluation: Evaluation, tmp_path: Path) -> None:
    write_sheet(evaluation, tmp_path)
    key = json.loads((tmp_path / KEY).read_text())
    for name, turned in (("ann.csv", ()), ("ben.csv", ("1", "2"))):
        rows = [{"row": number, "vote": str(pair.index("v9") + 1)} for number, pair in key.items()]
        for row in rows:
            if row["row"] in turned:
                row["vote"] = "1" if row["vote"] == "2" else "2"
        fill(tmp_path / name, rows)
    (count,), agreement = count_votes([tmp_path / "ann.csv", tmp_path / "ben.csv"], tmp_path / KEY)
    assert (count.first_won, count.second_won) == (2, 14)
    assert (agreement.pairs, agreement.agreed) == (8, 6)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_sheet_is_read_as_spreadsheets_save_it(evaluation: Evaluation, tmp_path: Path, delimiter: str) -> None:
    write_sheet(evaluation, tmp_path)
    lines = [f"row{delimiter}vote", *(f"{row['row']}{delimiter}1" for row in read(tmp_path / SHEET))]
    (tmp_path / "mine.csv").write_text("\r\n".join(lines), "utf-8-sig")
    (count,), _ = count_votes([tmp_path / "mine.csv"], tmp_path / KEY)
    assert count.first_won + count.second_won == 8


@pytest.mark.parametrize(("column", "value"), [("vote", "3"), ("row", "99"), ("row", "2")])
def test_a_vote_that_cannot_be_understood_is_refused(
    evaluation: Evaluation, tmp_path: Path, column: str, value: str
) -> None:
    write_sheet(evaluation, tmp_path)
    rows = read(tmp_path / SHEET)
    rows[0][column] = value
    fill(tmp_path / SHEET, rows)
    with pytest.raises(Invalid, match=value):
        count_votes([tmp_path / SHEET], tmp_path / KEY)


def test_what_is_no_sheet_and_no_key_is_told_in_words(evaluation: Evaluation, tmp_path: Path) -> None:
    write_sheet(evaluation, tmp_path)
    sheet, key = tmp_path / SHEET, tmp_path / KEY
    with pytest.raises(Invalid, match="nobody has voted"):
        count_votes([sheet], key)
    book = tmp_path / "book.xlsx"
    book.write_bytes(b"PK\x03\x04\xff\xfe\x80")
    with pytest.raises(Invalid, match="save it from the spreadsheet"):
        count_votes([book], key)
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(Invalid, match="needs the columns row and vote"):
        count_votes([other], key)
    with pytest.raises(Invalid, match="there is no"):
        count_votes([tmp_path / "nowhere.csv"], key)
    for broken in ("{", "[1, 2]", '{"1": 5}', '{"1": ["only one"]}'):
        key.write_text(broken)
        with pytest.raises(Invalid, match=r"is not the blind-key\.json"):
            count_votes([sheet], key)


def read(sheet: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(sheet.read_text("utf-8-sig").splitlines()))


def fill(sheet: Path, rows: list[dict[str, str]]) -> None:
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
