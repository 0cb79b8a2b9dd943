"""The demo's last word, for a person and for a program."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from copydesk.demo.outcome import Outcome, Pair, Stage, render
from copydesk.demo.report import write_report

_BEFORE = {
    "n": 60,
    "house_rules_pass": 0.5,
    "entities_right": 0.95,
    "precision_mean": 0.71,
    "precision_std": 0.06,
    "by_tag": {"too_long": 0.15},
}
OUTCOME = Outcome(
    articles=200,
    titles=199,
    published=180,
    in_review=3,
    corrections=60,
    dead_letters=1,
    lost=0,
    duplicates=2,
    failed_requests=0,
    champion_before="v1",
    champion_after="v2",
    holdout={"before": _BEFORE, "after": {**_BEFORE, "house_rules_pass": 0.9, "by_tag": {}}},
    gate="promoted: better on every count",
    pairs=(Pair("“A long <b>title</b>”", "A title", ("quoted",), ()),),
    stages=(Stage("scraper", 5.0, 0.0), Stage("generator", 4.0, 1.5), Stage("scorer", 4.0, 0.2)),
    articles_per_second=4.0,
    slowest_stage="generator",
    restarts={},
    memory_peak_mb=2500,
    desk_ready_seconds=20.0,
    seconds=200.0,
    desk="http://127.0.0.1:29080",
    report="",
)


def test_the_table_shows_both_models_and_what_was_lost() -> None:
    screen = io.StringIO()

    render(OUTCOME, Console(file=screen, width=120))

    for text in ("v1", "v2", "50%", "90%", "0.710", "too_long", "15%", "A title", "lost", "http://127.0.0.1:29080"):
        assert text in screen.getvalue()


def test_the_table_stands_without_any_training() -> None:
    screen = io.StringIO()

    render(Outcome(**{**OUTCOME.__dict__, "holdout": None, "pairs": (), "gate": ""}), Console(file=screen, width=80))

    assert "articles" in screen.getvalue()


def test_the_outcome_is_plain_json() -> None:
    assert json.loads(json.dumps(OUTCOME.as_json()))["holdout"]["after"]["house_rules_pass"] == 0.9


def test_titles_in_the_report_are_text_and_never_markup(tmp_path: Path) -> None:
    write_report(OUTCOME, tmp_path)

    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;title&lt;/b&gt;" in page
    assert "<b>title" not in page
