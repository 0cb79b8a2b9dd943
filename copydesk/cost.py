"""`copydesk cost`: what titles have cost, and what they would cost elsewhere."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from copydesk.console import console
from infra.settings import get_settings
from schemas.errors import Invalid

if TYPE_CHECKING:  # imported inside the commands: `--help` answers at once
    from infra.cost import Card, Way
    from infra.prices import Prices

app = typer.Typer(help="What titles have cost, and what they would cost elsewhere.", invoke_without_command=True)
AS_JSON = typer.Option(False, "--json", help="Print JSON.")


@app.callback()
def cost(context: typer.Context, as_json: bool = AS_JSON) -> None:
    """What titles have cost, per model version and per 1,000 titles, and what teachers were paid for labels."""
    if context.invoked_subcommand:
        return
    from copydesk.spending import labels, titles

    settings = get_settings()
    written, asked = titles(settings), labels(settings)
    if as_json:
        typer.echo(json.dumps({"titles": [asdict(one) for one in written], "labels": asked}, indent=2, default=str))
        return
    if not written and not asked:
        typer.echo("no title has been written and no label bought yet")
    if written:
        table = Table(
            "version", "prompt", "titles", "tokens read", "written", "seconds each", "dollars", "per 1,000 titles"
        )
        for one in written:
            table.add_row(
                one.model_version,
                one.prompt_version,
                f"{one.titles:,}",
                f"{one.input_tokens:,}",
                f"{one.output_tokens:,}",
                f"{one.seconds / one.titles:.2f}",
                f"{one.usd:,.4f}",
                f"{one.usd / one.titles * 1000:,.4f}",
            )
        console().print(table)
        if not any(one.usd for one in written):
            typer.echo(
                "The model server's tokens have no price: COPYDESK_USD_PER_MILLION_INPUT_TOKENS and …_OUTPUT_TOKENS; "
                "`copydesk cost compare` reckons with cards."
            )
    for name, dollars in asked.items():
        typer.echo(f"labels by {name}: ${dollars:,.4f}")


@app.command()
def compare(
    requests_per_day: float = typer.Option(100_000, min=1, help="Titles a day."),
    input_tokens: int = typer.Option(1100, min=1, help="Tokens read per title: the prompt with the article."),
    output_tokens: int = typer.Option(30, min=1, help="Tokens written per title."),
    gpu_hour: float | None = typer.Option(None, min=0.001, help="Dollars per hour of your card; default: the file's."),
    titles_per_second: float | None = typer.Option(None, min=0.001, help="Titles that your card writes in a second."),
    bursts: float = typer.Option(24, min=1, help="In bursts: how often a day the card works off what waits."),
    start: float = typer.Option(180, min=0, help="Seconds until a card that was started writes; they are paid."),
    idle: float = typer.Option(300, min=0, help="Scale to zero: seconds without an article after which it stops."),
    active_hours: float = typer.Option(12, min=0.1, max=24, help="Scale to zero: hours in which articles come."),
    year: int | None = typer.Option(None, help="Prices as of this year, 2024 for example; default: today's."),
    as_json: bool = AS_JSON,
) -> None:
    """Compare hosted models with cards of one's own: always on, in bursts, scaled to zero; and where it turns."""
    from infra.cost import Card, Traffic, verdict, ways
    from infra.prices import load_prices

    settings = get_settings()
    prices = load_prices(settings)
    chosen = {
        name: price for name, price in prices.models.items() if _is_of(price.as_of or prices.as_of, price.gone, year)
    }
    if not chosen:
        raise Invalid(f"the price file has no model with prices of {year}")
    use = {"bursts_per_day": bursts, "start_s": start, "idle_s": idle, "active_hours": active_hours}
    cards = [
        Card(one.name, one.usd_per_hour, one.titles_per_second, **use)
        for one in _cards(prices, gpu_hour, titles_per_second)
    ]
    traffic = Traffic(requests_per_day, input_tokens, output_tokens)
    found = ways(traffic, chosen, cards)
    said = verdict(traffic, found, cards)
    ratios = _ratios(prices, year)
    if as_json:
        facts = {
            "prices_as_of": str(prices.as_of),
            "traffic": asdict(traffic),
            "ways": [asdict(way) for way in found],
            "verdict": [*said, *ratios],
        }
        typer.echo(json.dumps(facts, indent=2))
        return
    _show(found)
    for sentence in [*said, *ratios]:
        console().print(sentence, highlight=False)
    typer.echo(f"Prices as of {year or prices.as_of} ({prices.source}).")
    if gpu_hour is None:
        typer.echo("The cards' titles a second are assumptions; measure yours: --gpu-hour and --titles-per-second.")


def _is_of(as_of: Any, gone: bool, year: int | None) -> bool:
    return as_of.year == year if year else not gone


def _cards(prices: Prices, gpu_hour: float | None, titles_per_second: float | None) -> list[Card]:
    from infra.cost import Card

    if (gpu_hour is None) != (titles_per_second is None):
        raise Invalid("--gpu-hour and --titles-per-second go together")
    if gpu_hour is not None and titles_per_second is not None:
        return [Card("your card", gpu_hour, titles_per_second)]
    return [Card(name, float(gpu.usd_per_hour), float(gpu.titles_per_second)) for name, gpu in prices.gpus.items()]


def _ratios(prices: Prices, year: int | None) -> list[str]:
    """What the original study's comparison was about, for the year that it was about."""
    large, small = prices.models.get("gpt-4-turbo"), prices.models.get("hosted-7b-2024")
    if year != 2024 or large is None or small is None:
        return []
    return [
        f"gpt-4-turbo cost {large.input / small.input:.0f}x as much per token read and "
        f"{large.output / small.output:.0f}x as much per token written as a tuned 7B model at a host."
    ]


def _show(found: list[Way]) -> None:
    table = Table("", "use", "dollars a day", "per 1,000 titles", "card busy")
    for way in found:
        busy = "" if way.busy is None else f"{way.busy:.0%}"
        name = f"{way.name} ({way.note})" if "until" in way.note else way.name
        table.add_row(name, way.kind, f"{way.usd_per_day:,.2f}", f"{way.usd_per_title * 1000:,.4f}", busy)
    for column in table.columns[2:]:
        column.justify = "right"
    console().print(table)
