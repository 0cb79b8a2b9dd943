"""What titles cost: the original study's figures with its prices, and today's without flattery."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cost import (
    ALWAYS,
    BATCH,
    BURSTS,
    HOSTED,
    TO_ZERO,
    Card,
    Traffic,
    Way,
    break_even,
    hosted,
    own,
    verdict,
    ways,
)
from infra.prices import Price, Prices, load_prices
from infra.settings import Settings
from schemas.errors import Invalid

L4, H100 = Card("l4", 0.75, 3), Card("h100", 2.5, 20)
DAY = Traffic(100_000, 1100, 30)


@pytest.fixture
def prices() -> Prices:
    return load_prices(Settings())


def by_kind(found: list[Way]) -> dict[str, Way]:
    return {way.kind: way for way in found}


def test_the_prices_of_2024_give_the_original_figures(prices: Prices) -> None:
    large, small = prices.models["gpt-4-turbo"], prices.models["hosted-7b-2024"]
    assert large.input / small.input == 50
    assert large.output / small.output == 150
    assert hosted(DAY, "", large).usd_per_day == pytest.approx(1190)
    assert hosted(DAY, "", small).usd_per_day == pytest.approx(22.6)


@pytest.mark.parametrize(
    ("model", "whole", "batch"),
    [("gpt-6.1-sol", 250, 125), ("gpt-6.1-terra", 125, 62.5), ("gpt-5.6-luna", 25.6, 12.8), ("gpt-6-luna", 12.5, 6.25)],
)
def test_todays_hosted_models_for_the_same_traffic(prices: Prices, model: str, whole: float, batch: float) -> None:
    price = prices.models[model]
    assert hosted(DAY, model, price).usd_per_day == pytest.approx(whole, rel=0.02)
    assert hosted(DAY, model, price, batch=True).usd_per_day == pytest.approx(batch, rel=0.02)


def test_a_card_is_paid_while_it_waits(prices: Prices) -> None:
    l4, h100 = by_kind(own(DAY, L4)), by_kind(own(DAY, H100))
    assert (l4[ALWAYS].usd_per_day, h100[ALWAYS].usd_per_day) == (18, 60)
    assert h100[ALWAYS].busy == pytest.approx(100_000 / 20 / 86_400)
    assert h100[BURSTS].usd_per_day == pytest.approx((5000 + 24 * 180) / 3600 * 2.5)
    assert by_kind(own(DAY, Card("h100", 2.5, 20, bursts_per_day=1, start_s=0)))[BURSTS].usd_per_day == pytest.approx(
        3.47, abs=0.01
    )
    # 100,000 titles in 12 hours: no pause is ever long enough to stop
    assert h100[TO_ZERO].usd_per_day == pytest.approx(30)


def test_scaled_to_zero_a_card_with_few_articles_costs_little_and_with_many_as_much_as_one_that_is_on() -> None:
    few = by_kind(own(Traffic(10), H100))[TO_ZERO].usd_per_day
    assert few == pytest.approx(10 * (180 + 300) / 3600 * 2.5, rel=0.1)  # each starts it, and it idles once
    many = by_kind(own(Traffic(20 * 86_400), H100))
    assert many[TO_ZERO].usd_per_day == many[ALWAYS].usd_per_day == 60
    assert many[ALWAYS].busy == 1


def test_from_which_volume_a_card_is_cheaper(prices: Prices) -> None:
    luna = hosted(DAY, "gpt-6-luna", prices.models["gpt-6-luna"]).usd_per_title
    assert break_even(L4, luna) == pytest.approx(144_000)
    assert break_even(H100, luna) == pytest.approx(480_000)
    assert break_even(Card("slow", 0.75, 1), luna) is None  # a title costs more on it even when it is never idle
    assert break_even(L4, 0) is None


def test_the_verdict_says_when_the_hosted_model_is_cheaper(prices: Prices) -> None:
    today = {name: price for name, price in prices.models.items() if not price.gone}
    small = Traffic(1000)
    said = verdict(small, ways(small, today, [L4]), [L4])
    assert said[0].startswith("Titles wanted at once: gpt-6-luna, hosted, for $0.12 a day is cheaper than any card (l4")
    assert said[1].startswith("Titles that may wait: gpt-6-luna, hosted, in batches, for $0.06 a day is cheaper")
    large = Traffic(1_700_000)
    said = verdict(large, ways(large, today, [H100]), [H100])
    assert said[0].startswith(
        "Titles wanted at once: h100, always on, for $60.00 a day is 3.5x cheaper than gpt-6-luna"
    )
    assert "1.8x cheaper than gpt-6-luna, hosted, in batches" in said[1]
    assert "from 480,000 titles a day; never idle, by 3.6x" in said[-1]
    assert verdict(large, ways(large, today, []), []) == []


@given(
    st.floats(1, 1e8),
    st.floats(0.01, 100),
    st.floats(0.01, 1000),
    st.floats(1, 1000),
    st.floats(0, 3600),
    st.floats(0, 7200),
)
def test_no_use_of_a_card_costs_more_than_always_on_or_less_than_its_work(
    requests: float, hour: float, speed: float, bursts: float, start: float, idle: float
) -> None:
    card = Card("any", hour, speed, bursts_per_day=bursts, start_s=start, idle_s=idle)
    found = by_kind(own(Traffic(requests), card))
    for way in found.values():
        assert way.usd_per_day <= found[ALWAYS].usd_per_day * (1 + 1e-9)
        assert way.busy is not None
        assert 0 < way.busy <= 1 + 1e-9
        assert way.usd_per_day == pytest.approx(way.usd_per_title * requests)


def test_the_cheapest_comes_first_and_batches_are_only_where_there_is_a_price_for_them(prices: Prices) -> None:
    found = ways(
        DAY,
        {
            "a": Price(input=Decimal(1), output=Decimal(1)),
            "b": Price(input=Decimal(2), output=Decimal(2), batch=Decimal("0.5")),
        },
        [],
    )
    assert [(way.name, way.kind) for way in found] == [("a", HOSTED), ("b", BATCH), ("b", HOSTED)]


def test_cached_and_dated_names_cost_what_they_should(prices: Prices) -> None:
    price = prices.find("gpt-5-2026-01-31")
    assert price == prices.models["gpt-5"]
    assert price is not None
    assert price.usd(1_000_000, 0, 400_000) == Decimal("0.6") * Decimal("1.25") + Decimal("0.4") * Decimal("0.125")
    assert price.usd(10, 0, 99) == price.usd(10, 0, 10)
    assert prices.find("gpt-5-mini") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("as_of: 2026-01-01\nsource: x\nmodels: {m: {input: -1, output: 1}}", "models.m.input"),
        ("as_of: 2026-01-01\nsource: x\nmodels: {m: {input: 1, output: 1, price: 3}}", "models.m.price"),
        ("a: [", "is not YAML"),
        ("", "the file"),
    ],
)
def test_a_price_file_that_is_none_is_told(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(content)
    with pytest.raises(Invalid, match=said):
        load_prices(Settings(price_file=path))


def test_a_price_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="COPYDESK_PRICE_FILE"):
        load_prices(Settings(price_file=tmp_path / "none.yaml"))
