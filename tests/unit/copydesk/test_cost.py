"""`copydesk cost`: the account of titles and labels, and the comparison in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session
from typer.testing import CliRunner

from copydesk.main import app
from infra.database import make_engine, migrate
from infra.settings import Settings, get_settings
from schemas.errors import Mendable
from tests.desk_seed import NOW, OTHERS, title_row
from training.teacher.ledger import Sent, open_ledger


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("COPYDESK_HOME", str(tmp_path))
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["cost", *words])
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result.stdout


def facts(*words: str) -> dict[str, Any]:
    return dict(json.loads(run(*words, "--json")))


def test_what_was_spent_is_told_per_version_and_teacher(settings: Settings) -> None:
    assert "no title has been written" in run()
    engine = make_engine(settings)
    migrate(engine)
    with Session(engine) as session:
        for number, case in enumerate(OTHERS[:3]):
            row = title_row(case, NOW)
            row.model_version = "v2" if number else "v1"
            row.input_tokens, row.output_tokens, row.latency_seconds, row.cost_usd = 100, 10, 0.5, 0.002
            session.add(row)
        session.commit()
    for name in ("large-0123456789abcdef", "large-fedcba9876543210"):
        with open_ledger(settings.home / "teacher" / f"{name}.jsonl", "a") as ledger:
            ledger.write(Sent(key="a", most=Decimal("0.25")))
    told = facts()
    first = told["titles"][0]
    assert (first["model_version"], first["titles"], first["input_tokens"], first["usd"]) == ("v2", 2, 200, 0.004)
    assert told["labels"] == {"large": "0.50"}
    words = run()
    assert "2.0000" in words  # dollars per 1,000 titles
    assert "labels by large: $0.5000" in words


def test_the_year_of_the_original_study_gives_its_figures(settings: Settings) -> None:
    told = facts("compare", "--year", "2024")
    by_name = {way["name"]: way for way in told["ways"] if way["kind"] == "hosted"}
    assert round(by_name["gpt-4-turbo"]["usd_per_day"]) == 1190
    assert any("50x as much per token read and 150x as much per token written" in line for line in told["verdict"])


def test_todays_prices_do_not_flatter_a_card(settings: Settings) -> None:
    words = run("compare", "--requests-per-day", "1000")
    assert "The price alone is no reason for a card" in words
    assert "gpt-4-turbo" not in words
    mine = facts("compare", "--gpu-hour", "2.5", "--titles-per-second", "20", "--bursts", "1")
    assert {way["name"] for way in mine["ways"] if way["busy"] is not None} == {"your card"}


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--gpu-hour", "2.5"), "go together"), (("--year", "1999"), "no model with prices of 1999")],
)
def test_what_makes_no_sense_is_told(settings: Settings, words: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(app, ["cost", "compare", *words])
    assert isinstance(result.exception, Mendable)
    assert said in str(result.exception)
