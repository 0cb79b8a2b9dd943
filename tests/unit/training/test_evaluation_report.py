"""The report and the blind sheet, from titles that were not written by any model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.evaluation_samples import EXAMPLES, contender, two_models
from training.curves import curves
from training.evaluation import Contender, Evaluation, differences, slices, summary
from training.evaluation_page import marked
from training.held_out import HeldOut
from training.report import facts_of, write_report
from training.statistics import paired


@pytest.fixture
def evaluation() -> Evaluation:
    return two_models()


def test_an_empty_title_pulls_the_mean_down_and_is_counted(evaluation: Evaluation) -> None:
    found = summary(evaluation.contenders[1])
    assert found["empty"]["mean"] == pytest.approx(1 / 8)
    assert found["precision"]["mean"] == pytest.approx((0.6 * 7 + 0.27) / 8)


def test_differences_are_of_the_articles_that_both_have(evaluation: Evaluation) -> None:
    old, new = evaluation.contenders
    some = Contender("some", "v3", {key: new.titles[key] for key in ("e2", "e3")})
    found = differences(old, some)["precision"]
    assert (found.wins, found.losses, found.ties) == (2, 0, 0)
    assert found.mean == pytest.approx(0.3)


def test_slices_are_by_tag_source_length_and_time() -> None:
    found = slices(EXAMPLES)
    assert list(found) == ["corrected for", "source", "article length", "time"]
    assert found["corrected for"] == {"quoted": ["e0", "e1", "e2", "e3"]}
    assert set(found["source"]) == {"Harbor", "Tide"}
    assert list(found["time"]) == ["2024", "2025"]


def test_the_report_is_one_page_and_the_same_in_three_other_forms(evaluation: Evaluation, tmp_path: Path) -> None:
    facts = write_report(evaluation, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "Old &lt;script&gt;" in page
    assert "<script" not in page
    assert "http" not in page  # nothing is fetched from anywhere
    assert page.count("<path") >= 4
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(json.dumps(facts))
    rows = list(csv.reader((tmp_path / "titles.csv").read_text("utf-8-sig").splitlines()))
    assert len(rows) == 1 + 16
    assert any(row[4] == "'=1+1" for row in rows)  # no spreadsheet computes a title
    book = load_workbook(tmp_path / "report.xlsx")
    assert book.sheetnames == ["figures", "differences", "slices", "titles"]
    assert book["titles"].max_row == 17


def test_the_page_says_first_in_words_who_is_better(evaluation: Evaluation, tmp_path: Path) -> None:
    base = evaluation.contenders[0]
    write_report(Evaluation(evaluation.held_out, (base, contender("v9", ["New"] * 8, 0.6))), tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert 'is <span class="good">better</span> than base in precision (+0.300).' in page
    write_report(Evaluation(evaluation.held_out, (base, contender("twin", ["Old"] * 8, 0.3))), tmp_path)
    assert "differs from base in nothing beyond chance" in (tmp_path / "report.html").read_text()


def test_the_share_of_prompt_tokens_that_is_saved_stands_in_facts_and_page(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    base, new = write_report(evaluation, tmp_path)["models"]
    assert "prompt_saved" not in base["cost"]
    assert new["cost"]["prompt_saved"] == pytest.approx(0.5)
    assert "50 % saved" in (tmp_path / "report.html").read_text()


def test_models_with_the_same_title_share_a_line(evaluation: Evaluation, tmp_path: Path) -> None:
    base, new = evaluation.contenders
    again = Contender("v10", "v3", new.titles)
    write_report(Evaluation(evaluation.held_out, (base, new, again)), tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<dt>") == 16


def test_what_a_share_wins_may_be_chance_though_its_interval_says_otherwise() -> None:
    found = paired([0.0] * 60, [1.0] * 4 + [0.0] * 56)
    assert found.low > 0
    assert found.sign_p == pytest.approx(0.125)
    assert not found.beyond_chance
    assert paired([0.0] * 60, [1.0] * 8 + [0.0] * 52).beyond_chance


def test_curves_stay_within_what_a_score_can_be_and_are_equally_smooth() -> None:
    drawn = curves([[1.0] * 30 + [0.5] * 10, [1.0] * 20 + [0.0] * 20], 0.0, 1.0)
    assert drawn.ticks[0] == (0.0, "0.0")
    assert drawn.ticks[-1] == (100.0, "1.0")
    heights = [[float(point.split(",")[1]) for point in curve.line[1:].split(" L")] for curve in drawn.curves]
    # 30 and 20 of 40 titles at the same place, equally smoothed: their peaks are as 30 to 20
    assert (100 - heights[1][-1]) / (100 - heights[0][-1]) == pytest.approx(20 / 30, abs=0.02)
    assert drawn.curves[1].at_mean == pytest.approx(50)


def test_what_smoothing_would_put_beyond_a_bound_is_folded_back() -> None:
    (curve,) = curves([[place / 400 for place in range(401)]], 0.0, 1.0).curves
    heights = [100 - float(point.split(",")[1]) for point in curve.line[1:].split(" L")]
    assert min(heights) == pytest.approx(max(heights), rel=0.02)  # equally many everywhere: at the bounds, too


def test_a_curve_of_equal_scores_can_be_drawn() -> None:
    (curve,) = curves([[0.7, 0.7]]).curves
    assert "nan" not in curve.line
    assert curve.at_low == curve.at_mean == curve.at_high


def test_a_report_of_one_model_and_one_article_can_be_had(evaluation: Evaluation, tmp_path: Path) -> None:
    only = EXAMPLES[1]
    one = Contender("v9", "v3", {only.example_id: evaluation.contenders[1].titles[only.example_id]})
    facts = write_report(Evaluation(HeldOut("one", "cd" * 32, (only,)), (one,)), tmp_path)
    assert facts["differences"] == {}
    assert "(empty)" in (tmp_path / "report.html").read_text()


def test_other_words_are_marked() -> None:
    assert marked("Harbor sells three phones", "Harbor makes phones") == [
        ("Harbor ", False),
        ("sells three", True),
        (" phones", False),
    ]
    assert marked("Same title.", "same title") == [("Same title.", False)]


def test_facts_say_by_how_much_and_how_sure(evaluation: Evaluation) -> None:
    found = facts_of(evaluation)["differences"]["v9"]["precision"]
    assert found["low"] < found["mean"] < found["high"]
    assert found["wins"] == 7
