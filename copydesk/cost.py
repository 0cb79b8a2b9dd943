"""`copydesk cost`: what the titles cost so far, and what they would cost elsewhere."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

import typer
from rich.table import Table

from copydesk.console import console
from infra.prices import DayCost, Gpu, Price, Traffic, break_even, hosted, own, read_prices
from infra.settings import get_settings
from schemas.errors import Mendable

app = typer.Typer(help="What titles cost.", invoke_without_command=True)


class NoPrices(Mendable):
    """The price file has nothing for that day."""


@app.callback()
def cost(context: typer.Context, as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """What was spent, per model version and per 1,000 titles, at the prices in the settings."""
    if context.invoked_subcommand is None:
        found = spent()
        if as_json:
            typer.echo(json.dumps(found, indent=2))
        else:
            _show_spent(found)


@app.command()
def compare(
    requests_per_day: int = typer.Option(100_000, min=1, help="Titles a day."),
    input_tokens: int = typer.Option(1_100, min=1, help="Of a prompt with its article."),
    output_tokens: int = typer.Option(30, min=1, help="Of a title."),
    cached_share: float = typer.Option(0.0, min=0, max=1, help="Share of the input in the provider's cache."),
    gpu_hour: float = typer.Option(2.5, min=0, help="Rent of a GPU in US dollars an hour."),
    titles_per_second: float = typer.Option(20.0, min=0.001, help="What it writes; measure it: make bench-generate."),
    starts_per_day: int = typer.Option(4, min=1, help="Scaled to zero: how often it is started."),
    start_minutes: float = typer.Option(5.0, min=0, help="What a start takes before it writes."),
    on: datetime | None = typer.Option(None, formats=["%Y-%m-%d"], help="Prices of that day; default: today."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """What a day of titles costs with hosted models and on a GPU of one's own."""
    day = on.date() if on else datetime.now(UTC).date()
    traffic = Traffic(requests_per_day, input_tokens, output_tokens, cached_share)
    gpu = Gpu(gpu_hour, titles_per_second, starts_per_day, start_minutes)
    facts = comparison(traffic, gpu, day)
    if as_json:
        typer.echo(json.dumps(facts, indent=2, default=str))
    else:
        _show(facts, traffic, gpu, day)


def comparison(traffic: Traffic, gpu: Gpu, day: date) -> dict[str, Any]:
    """All ways with their costs, the dearest first; break-even volumes by model. Raises `NoPrices`."""
    prices = [price for price in read_prices() if price.held(day)]
    if not prices:
        raise NoPrices(f"infra/prices.yaml has no price of {day}: it begins on {min(p.since for p in read_prices())}")
    ways = sorted([*hosted(traffic, prices, day), *own(traffic, gpu)], key=lambda one: -one.usd)
    return {
        "ways": [_way(one, traffic) for one in ways],
        "break_even": {price.model: break_even(traffic, gpu, price) for price in prices},
        "sources": sorted({f"{price.source} (since {price.since})" for price in prices}),
        "ratios": _ratios(prices),
    }


def spent() -> list[dict[str, Any]]:
    """Per model version: titles, tokens, US dollars."""
    from sqlalchemy import func, select
    from sqlmodel import col

    from infra.database import make_engine, migrate
    from schemas.records import TitleRow

    engine = make_engine(get_settings())
    migrate(engine)
    version = col(TitleRow.model_version)
    sums = [func.sum(col(one)) for one in (TitleRow.input_tokens, TitleRow.output_tokens, TitleRow.cost_usd)]
    with engine.connect() as connection:
        rows = connection.execute(select(version, func.count(), sums[0], sums[1], sums[2]).group_by(version).order_by(version)).all()
    found = []
    for name, titles, tokens_in, tokens_out, usd in rows:
        totals = {"titles": titles, "input_tokens": tokens_in, "output_tokens": tokens_out, "usd": usd}
        found.append({"model_version": name, **totals, "usd_per_1000_titles": 1000 * float(usd) / titles})
    return found


def _way(one: DayCost, traffic: Traffic) -> dict[str, Any]:
    return asdict(one) | {"usd_per_1000_titles": 1000 * one.usd / traffic.requests_per_day}


def _ratios(prices: list[Price]) -> dict[str, float]:
    """How many times the dearest model costs what the cheapest does, per token in and out."""
    dearest, cheapest = max(prices, key=lambda one: one.output), min(prices, key=lambda one: one.output)
    return {"input": dearest.input / cheapest.input, "output": dearest.output / cheapest.output}


def _show_spent(found: list[dict[str, Any]]) -> None:
    if not found:
        typer.echo("no title has been written yet")
        return
    table = Table("model version", *("titles", "tokens in", "tokens out", "US dollars", "per 1,000 titles"))
    for one in found:
        table.add_row(
            one["model_version"],
            f"{one['titles']:,}",
            f"{one['input_tokens']:,}",
            f"{one['output_tokens']:,}",
            _usd(one["usd"]),
            _usd(one["usd_per_1000_titles"]),
        )
    console().print(table)
    typer.echo("at COPYDESK_USD_PER_MILLION_INPUT_TOKENS and COPYDESK_USD_PER_MILLION_OUTPUT_TOKENS")


def _show(facts: dict[str, Any], traffic: Traffic, gpu: Gpu, day: date) -> None:
    out = console()
    out.print(
        f"{traffic.requests_per_day:,} titles a day, {traffic.input_tokens:,} tokens in and {traffic.output_tokens} "
        f"out, prices of {day}",
        highlight=False,
    )
    table = Table("way", "a day", "in batches", "1,000 titles", "", "starts at", title_justify="left")
    for one in facts["ways"]:
        at = facts["break_even"].get(one["way"])
        note = one["note"] or (f"until {one['ends']}" if one["ends"] else "")
        even = "" if one["way"] not in facts["break_even"] else f"{at:,} a day" if at else "never"
        batch = _usd(one["batch_usd"]) if one["batch_usd"] is not None else "–"
        table.add_row(one["way"], _usd(one["usd"]), batch, _usd(one["usd_per_1000_titles"]), note, even)
    table.columns[-1].header = "a GPU always on pays from"
    out.print(table)
    ratios = facts["ratios"]
    out.print(
        f"The dearest hosted model costs {ratios['input']:.0f} times the cheapest per token in, {ratios['output']:.0f} "
        f"times per token out.\nThe GPU: ${gpu.usd_per_hour:g} an hour and {gpu.titles_per_second:g} titles a second "
        "are what you gave; measure the second.\n" + "\n".join(f"Source: {source}." for source in facts["sources"]),
        highlight=False,
    )


def _usd(amount: float) -> str:
    return f"${amount:,.2f}" if amount < 1000 else f"${amount:,.0f}"
