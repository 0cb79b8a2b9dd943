"""`copydesk label`: a large model titles a data set's articles, within a budget, for a small one to learn from."""

from __future__ import annotations

import json
import sys
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from infra.settings import Settings, get_settings
from schemas.errors import Invalid

if TYPE_CHECKING:  # imported inside the command: `--help` answers at once
    from infra.prices import Price
    from training.teacher import Labelled, Order, Outlook

CENT = Decimal("0.01")


def label(
    dataset: str = typer.Argument(help="The data set whose articles are titled: its name, its hash, or its folder."),
    model: str = typer.Option(..., help="The teacher, by the name that its server knows."),
    prompt: str = typer.Option("v2", help="A prompt version, or @FILE with {text} in it."),
    budget: str = typer.Option("", help="Dollars that these articles may cost, earlier runs of this command included."),
    batch: bool = typer.Option(False, "--batch", help="Through the Batch API: cheaper, within a day."),
    limit: int | None = typer.Option(None, min=1, help="At most so many articles, the same ones every time."),
    skip: int = typer.Option(0, min=0, help="Leave out so many articles first."),
    split: list[str] = typer.Option([], help="Only this split: train, validation, holdout; can be repeated."),
    name: str = typer.Option("", help="A name for the new data set, to be used in place of its hash."),
    replace_curated: bool = typer.Option(False, "--replace-curated", help="Label what curators gave a title, too."),
    keep_faulty: bool = typer.Option(False, "--keep-faulty", help="Keep titles in which a house rule finds an error."),
    examples: int = typer.Option(
        0, min=0, max=10, help="Show so many similar articles with their curators' titles (prompt v5)."
    ),
    effort: str = typer.Option("none", help="How much a reasoning model thinks; empty: as it likes."),
    max_tokens: int = typer.Option(64, min=8, help="Longest answer, thinking included."),
    at_once: int = typer.Option(8, min=1, help="Requests at the same time, without --batch."),
    batch_size: int = typer.Option(1000, min=1, max=50_000, help="Requests in one batch."),
    poll: float = typer.Option(30.0, min=0.05, help="Seconds between two looks at a batch."),
    pause: float = typer.Option(1.0, min=0.001, help="Seconds to wait after trouble; twice as long each time."),
    price_input: float | None = typer.Option(None, min=0, help="Dollars per million tokens read, if not in the file."),
    price_output: float | None = typer.Option(None, min=0, help="Dollars per million tokens written."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what it would cost, and ask nothing."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Make a data set of a large model's titles. Interrupted in any way, the same command goes on where it was.

    The teacher is an OpenAI-compatible server: COPYDESK_TEACHER_URL and COPYDESK_TEACHER_KEY.
    """
    from training.dataset import SPLITS, load_snapshot
    from training.dataset.snapshot import check_name, name_snapshot
    from training.teacher import Order, find_prompt, look_ahead

    settings = get_settings()
    if unknown := set(split) - set(SPLITS):
        raise Invalid(f"--split {min(unknown)}: there are {', '.join(SPLITS)}")
    if name:
        check_name(name)
    source = load_snapshot(settings.home, dataset)
    order = Order(
        model=model,
        prompt=find_prompt(prompt),
        price=_price(settings, model, price_input, price_output),
        splits=tuple(split) or SPLITS,
        skip=skip,
        limit=limit,
        replace_curated=replace_curated,
        keep_faulty=keep_faulty,
        examples=examples,
        effort=effort,
        max_tokens=max_tokens,
        batch=batch,
        budget=_dollars(budget),
        at_once=at_once,
        batch_size=batch_size,
        poll_s=poll,
        pause_s=pause,
    )
    ahead = look_ahead(source, order, settings)
    if dry_run:
        typer.echo(json.dumps(_outlook_facts(ahead, order), indent=2) if as_json else _outlook(ahead, order))
        return
    if order.price is None and order.budget is not None:
        raise Invalid(f"no price is known for {model!r}, so no budget can be kept: --price-input and --price-output")
    if order.budget is None and ahead.expected and ahead.answered < ahead.requests:
        raise Invalid(f"say what it may cost: --budget {_round_up(ahead)} will do ({_outlook(ahead, order)})")
    if order.price is None:
        typer.echo(f"no price is known for {model!r}: nothing is counted (--price-input and --price-output)", err=True)
    with _progress(as_json) as bar:
        made = _label(bar, ahead, source, order, settings)
    if name and made.snapshot:
        name_snapshot(settings.home, name, made.snapshot)
    if as_json:
        typer.echo(json.dumps(_facts(made, order, name), indent=2, ensure_ascii=False))
        return
    for why, number in made.left_out.most_common():
        typer.echo(f"left out {number:,}: {why}")
    curated = f", {made.kept:,} curated" if made.kept else ""
    typer.echo(
        f"{made.written:,} titles by {model} with prompt {order.prompt.name}{curated}, {_money(made.spent)} spent"
    )
    if made.snapshot:
        place = f"{made.snapshot.folder} (hash {made.snapshot.hash[:16]})"
        typer.echo(f"data set {name or made.snapshot.hash[:16]}: {place}")


def _label(bar: Progress, ahead: Outlook, source: Any, order: Order, settings: Settings) -> Labelled:
    from training.teacher import label as run

    task = bar.add_task("asking", total=ahead.requests, completed=ahead.answered)
    of = f" of {_money(order.budget)}" if order.budget is not None else ""

    def watch(done: int, spent: Decimal) -> None:
        bar.update(task, completed=done, description=f"{_money(spent)}{of}")

    return run(source, order, settings, watch, bar.console.print)


def _progress(as_json: bool) -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True, highlight=False, markup=False),
        transient=True,
        disable=as_json or not sys.stderr.isatty(),
    )


def _price(settings: Settings, model: str, price_input: float | None, price_output: float | None) -> Price | None:
    from infra.prices import Price, load_prices

    known = load_prices(settings).find(model)
    if price_input is None and price_output is None:
        return known
    if price_input is None or price_output is None:
        raise Invalid("--price-input and --price-output go together")
    found = known or Price(input=Decimal(0), output=Decimal(0))
    return found.model_copy(
        update={"input": Decimal(str(price_input)), "output": Decimal(str(price_output)), "cached": None}
    )


def _dollars(words: str) -> Decimal | None:
    if not words:
        return None
    try:
        dollars = Decimal(words.removeprefix("$"))
    except InvalidOperation:
        dollars = Decimal(-1)
    if not dollars.is_finite() or dollars < 0:
        raise Invalid(f"--budget {words}: dollars, as 5 or 0.50")
    return dollars


def _money(dollars: Decimal) -> str:
    return f"${dollars:,.2f}" if dollars >= 1 else f"${dollars:.4f}"


def _round_up(ahead: Outlook) -> str:
    dollars = (ahead.spent + (ahead.expected or 0) * 2).quantize(CENT) + CENT
    return f"{dollars}"


def _outlook(ahead: Outlook, order: Order) -> str:
    parts = [f"{ahead.requests - ahead.answered:,} articles to ask about"]
    if ahead.answered:
        parts.append(f"{ahead.answered:,} answered before for {_money(ahead.spent)}")
    if ahead.curated:
        parts.append(f"{ahead.curated:,} keep their curator's title")
    if ahead.expected is None or ahead.most is None:
        parts.append(f"no price is known for {order.model}")
    else:
        parts.append(f"about {_money(ahead.expected)}, at the very most {_money(ahead.most)}")
    return ", ".join(parts)


def _outlook_facts(ahead: Outlook, order: Order) -> dict[str, Any]:
    return {
        "model": order.model,
        "prompt": order.prompt.name,
        "articles": ahead.articles,
        "curated": ahead.curated,
        "requests": ahead.requests,
        "answered": ahead.answered,
        "spent_usd": str(ahead.spent),
        "expected_usd": None if ahead.expected is None else str(ahead.expected),
        "most_usd": None if ahead.most is None else str(ahead.most),
    }


def _facts(made: Labelled, order: Order, name: str) -> dict[str, Any]:
    return {
        "hash": made.snapshot.hash if made.snapshot else None,
        "folder": str(made.snapshot.folder) if made.snapshot else None,
        "name": name,
        "model": order.model,
        "models": list(made.models),
        "prompt_version": order.prompt.name,
        "written": made.written,
        "curated": made.kept,
        "left_out": dict(made.left_out),
        "spent_usd": str(made.spent),
        "input_tokens": made.input_tokens,
        "cached_tokens": made.cached_tokens,
        "output_tokens": made.output_tokens,
    }
