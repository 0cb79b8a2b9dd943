"""`copydesk cost`, as a person types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import Session
from typer.testing import CliRunner

from copydesk.main import app
from infra.database import make_engine, migrate
from infra.prices import Gpu, Price, Traffic, break_even, hosted, own, read_prices
from infra.settings import get_settings
from schemas.records import TitleRow

LUNA = Price(model="luna", input=0.1, cached=0.01, output=0.5, batch=0.5, since=date(2026, 11, 1), source="a list")
DAY = Traffic(100_000, 1_100, 30)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COPYDESK_HOME", str(tmp_path))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def run(*words: str, fails: bool = False) -> str:
    result = CliRunner().invoke(app, ["cost", *words])
    assert (result.exit_code != 0) == fails, result.output
    return str(result.exception) if fails else result.stdout


def ways(facts: dict[str, Any]) -> dict[str, Any]:
    return {one["way"]: one for one in facts["ways"]}


def test_the_prices_of_2024_give_the_figures_of_2024() -> None:
    facts = json.loads(run("compare", "--on", "2024-03-01", "--json"))

    assert ways(facts)["gpt-4-turbo"]["usd"] == pytest.approx(1190)
    assert facts["ratios"] == pytest.approx({"input": 50, "output": 150})


def test_todays_prices_say_when_the_hosted_model_is_cheaper() -> None:
    facts = json.loads(run("compare", "--on", "2026-11-23", "--json"))
    found = ways(facts)

    assert "gpt-4-turbo" not in found
    assert found["gpt-6-luna"]["usd"] == pytest.approx(12.5)
    assert found["gpt-6-luna"]["usd"] < found["own GPU, always on (1)"]["usd"] == pytest.approx(60)
    assert found["own GPU, only while it writes"]["usd"] == pytest.approx(3.47, abs=0.01)
    assert facts["break_even"]["gpt-6-luna"] == 480_000


def test_a_price_ends_with_its_model() -> None:
    assert "gpt-5 " in run("compare", "--on", "2026-12-10")
    assert "gpt-5 " not in run("compare", "--on", "2026-12-11")
    assert "no price of 2020-01-01" in run("compare", "--on", "2020-01-01", fails=True)


def test_the_cache_and_batches_make_a_hosted_model_cheaper() -> None:
    (plain,) = hosted(DAY, [LUNA], date(2026, 11, 23))
    (cached,) = hosted(Traffic(100_000, 1_100, 30, cached_share=0.5), [LUNA], date(2026, 11, 23))

    assert plain.usd == pytest.approx(100_000 * (1_100 * 0.1 + 30 * 0.5) / 1e6)
    assert plain.batch_usd == pytest.approx(plain.usd / 2)
    assert cached.usd == pytest.approx(100_000 * (550 * 0.1 + 550 * 0.01 + 30 * 0.5) / 1e6)


def test_more_titles_than_one_gpu_can_write_take_a_second_one() -> None:
    always, busy, scaled = own(Traffic(3_000_000, 1_100, 30), Gpu(2.5, 20, starts_per_day=2, start_minutes=6))

    assert always.way.endswith("(2)")
    assert always.usd == pytest.approx(2 * 24 * 2.5)
    assert busy.usd == pytest.approx(3_000_000 / 20 / 3600 * 2.5)
    assert scaled.usd == pytest.approx(busy.usd + 0.2 * 2.5)


def test_a_gpu_that_is_too_slow_never_pays() -> None:
    assert break_even(DAY, Gpu(2.5, 20), LUNA) == 480_000
    assert break_even(DAY, Gpu(2.5, 5), LUNA) is None


def test_every_price_says_where_and_when_it_was_read() -> None:
    assert all(price.source and price.since >= date(2024, 1, 1) for price in read_prices())


def test_what_was_spent_is_said_per_version_and_thousand() -> None:
    assert "no title" in run()
    engine = make_engine(get_settings())
    migrate(engine)
    with Session(engine) as session:
        for number in range(4):
            session.add(title("v1" if number else "v2", cost_usd=0.002))
        session.commit()

    printed, facts = run(), json.loads(run("--json"))

    assert [(one["model_version"], one["titles"]) for one in facts] == [("v1", 3), ("v2", 1)]
    assert facts[0]["usd"] == pytest.approx(0.006)
    assert facts[0]["usd_per_1000_titles"] == pytest.approx(2)
    assert facts[0]["input_tokens"] == 300
    assert "$2.00" in printed


def title(version: str, cost_usd: float) -> TitleRow:
    return TitleRow(
        title_id=uuid4(),
        article_id=uuid4(),
        revision=1,
        story_id=uuid4(),
        text="A title",
        raw="A title",
        model_version=version,
        base_model="base",
        adapter_digest="0" * 64,
        prompt_version="v3",
        shots=0,
        attempts=1,
        input_tokens=100,
        output_tokens=10,
        latency_seconds=0.1,
        cost_usd=cost_usd,
        written_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
