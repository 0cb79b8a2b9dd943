"""`copydesk archive`: the read model in the database, made again from the topics."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from copydesk.console import console
from infra.settings import Settings, get_settings

if TYPE_CHECKING:  # imported inside the command: `--help` answers at once
    from sqlalchemy import Engine

    from infra.kafka import Record
    from schemas.topics import Topic
    from workers.archivist.projection import Part
    from workers.archivist.rebuild import Made

app = typer.Typer(help="The read model: make it again from the topics.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keeps `rebuild` a command of its own while it is the only one."""


@dataclass(frozen=True)
class Plan:
    """What there is of one part, and whether its tables can be emptied first; `why_not` is empty if so."""

    part: Part
    rows: dict[str, int]
    messages: int
    why_not: str


@app.command()
def rebuild(
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be done, and change nothing."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    fewer_rows: bool = typer.Option(
        False, "--fewer-rows", help="Go on even where the topics give fewer rows than the tables hold now."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Make articles, titles, scores, publications, corrections and adapters again from the topics.

    Part by part, each whole or not at all: interrupted, it can be repeated. Nothing needs to be stopped. What belongs
    to the retrainer (model versions, aliases, trainings) and to the scraper (feeds) is in no topic and is left alone.
    """
    from infra.database import make_engine, migrate

    settings = get_settings()
    engine = make_engine(settings)
    migrate(engine)
    plans = look(settings, engine)
    if dry_run:
        _print_plans(plans, as_json=as_json)
        return
    if not as_json:
        _print_plans(plans, as_json=False)
    if not yes:
        typer.confirm(f"Make these tables again from Kafka at {settings.bootstrap}?", abort=True, err=True)
    began = time.monotonic()
    made = _make(settings, engine, plans, fewer_rows=fewer_rows)
    _print_made(made, time.monotonic() - began, as_json=as_json)


def look(settings: Settings, engine: Engine) -> list[Plan]:
    """What there is, and how each part would be made. Raises `Invalid` where a topic is missing, `Transient`."""
    from infra.database import transaction
    from infra.kafka import bounds
    from schemas.errors import Invalid
    from workers.archivist.projection import PARTS
    from workers.archivist.rebuild import count_rows

    plans = []
    for part in PARTS:
        edges = {topic.name: bounds(settings, topic.name) for topic in part.topics}
        missing = [name for name, found in edges.items() if not found]
        if missing:
            raise Invalid(f"there is no topic {missing[0]!r} at {settings.bootstrap}: is this the right broker?")
        gone = [name for name, found in edges.items() if any(first > 0 for first, _ in found.values())]
        compacted = [topic.name for topic in part.topics if topic.compacted]
        why_not = f"the first messages of {gone[0]} are gone" if gone else ""
        why_not = f"{compacted[0]} keeps only the newest" if compacted else why_not
        with transaction(engine) as session:
            rows = count_rows(session, part)
        messages = sum(end - first for found in edges.values() for first, end in found.values())
        plans.append(Plan(part, rows, messages, why_not))
    return plans


def _make(settings: Settings, engine: Engine, plans: list[Plan], *, fewer_rows: bool) -> list[Made]:
    from infra.kafka import read_whole
    from workers.archivist.rebuild import rebuild as make_again

    made = []
    columns = (TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for plan in plans:
            task = progress.add_task(" + ".join(plan.rows), total=plan.messages)

            def read(topic: Topic, task: object = task) -> Iterator[Record]:
                for record in read_whole(settings, topic.name):
                    yield record
                    progress.advance(task)  # type: ignore[arg-type]  # an int by another name

            made.append(make_again(engine, plan.part, read, empty=not plan.why_not, fewer_rows=fewer_rows))
    return made


def _print_plans(plans: list[Plan], *, as_json: bool) -> None:
    if as_json:
        facts = [
            {"tables": plan.rows, "topics": [topic.name for topic in plan.part.topics], "messages": plan.messages}
            | {"emptied_first": not plan.why_not, "why_not": plan.why_not}
            for plan in plans
        ]
        typer.echo(json.dumps(facts, indent=2))
        return
    table = Table("table", "rows now", "from", "messages", "how")
    for plan in plans:
        how = f"written over, not emptied: {plan.why_not}" if plan.why_not else "emptied and filled again"
        topics = ", ".join(topic.name for topic in plan.part.topics)
        table.add_row(
            "\n".join(plan.rows), "\n".join(f"{n:,}" for n in plan.rows.values()), topics, f"{plan.messages:,}", how
        )
    console().print(table)


def _print_made(made: list[Made], seconds: float, *, as_json: bool) -> None:
    if as_json:
        facts = [
            {"before": one.before, "after": one.after, "messages": one.messages, "without_rows": one.without_rows}
            for one in made
        ]
        typer.echo(json.dumps({"parts": facts, "seconds": round(seconds, 1)}, indent=2))
        return
    table = Table("table", "rows before", "rows now")
    for one in made:
        for name, before in one.before.items():
            table.add_row(name, f"{before:,}", f"{one.after[name]:,}")
    console().print(table)
    unread = sum(one.without_rows for one in made)
    typer.echo(f"{sum(one.messages for one in made):,} messages in {seconds:.1f} s.")
    if unread:
        typer.echo(
            f"{unread:,} of them leave no row: the archivist has buried them (copydesk dlt list --verdict invalid)."
        )
