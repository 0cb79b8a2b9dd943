"""`copydesk retrain`: why there is (no) training now, and training on demand."""

from __future__ import annotations

import getpass
import json
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from copydesk.console import console, plain
from infra.settings import get_settings

if TYPE_CHECKING:  # imported inside the commands: `--help` answers at once
    from workers.retrainer.ledger import Ledger
    from workers.retrainer.runner import Runner

app = typer.Typer(help="Training: why (not) now, and on demand.", no_args_is_help=True)
POLL_S = 0.5


@app.command()
def status(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Say in words why there is or is no training now, and how the last one ended."""
    from workers.retrainer.trigger import decide

    ledger, _ = _parts()
    decision = decide(ledger.facts(get_settings()))
    last = ledger.latest()
    if as_json:
        conditions = [{"name": one.name, "met": one.met, "words": one.words} for one in decision.conditions]
        run = last.model_dump(mode="json") if last else None
        typer.echo(
            json.dumps(
                {
                    "train": decision.train,
                    "explanation": decision.explanation,
                    "conditions": conditions,
                    "last_run": run,
                },
                indent=2,
                ensure_ascii=False,
            )
        )
        return
    typer.echo(decision.explanation)
    for condition in decision.conditions:
        typer.echo(f"  {'✓' if condition.met else '✗'} {condition.words}")
    if last is not None:
        if last.lease_until is not None and last.finished_at is None:
            typer.echo(
                f"it trains at {last.place}; without a sign of life it is over at {last.lease_until:%H:%M:%S} UTC"
            )
        typer.echo(
            f"last run: {last.model_version}, {last.state} ({last.started_at:%Y-%m-%d %H:%M}): {last.explanation}"
        )


@app.command()
def run(
    reason: str = typer.Option("on demand", help="Why; it goes into the run's record."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what would be trained on, and train nothing."),
    as_json: bool = typer.Option(False, "--json", help="With --dry-run: print JSON."),
) -> None:
    """Train now, whatever the trigger says; exit status 0 if the new version passed the gate."""
    if dry_run:
        _show_dataset(as_json=as_json)
        return
    from schemas.errors import Transient
    from schemas.training import AWAITING, PROMOTED
    from workers.retrainer.announce import announce

    ledger, runner = _parts()
    runner.watch()
    row = runner.start(ledger.facts(get_settings()), actor=getpass.getuser(), why=reason)
    if row is None:
        raise typer.BadParameter("a training is under way already: `copydesk retrain status`")
    try:
        ended = _follow(ledger, runner)
    except KeyboardInterrupt:
        runner.stop()
        raise
    typer.echo(ended)
    try:
        announce(runner.registry, get_settings())
    except Transient as error:
        typer.echo(f"not announced yet ({error}); the retrainer announces it once the broker answers")
        raise typer.Exit(1) from error
    last = ledger.latest()
    raise typer.Exit(0 if last is not None and last.state in (PROMOTED, AWAITING) else 1)


def _show_dataset(*, as_json: bool) -> None:
    """What a training would use if it started now; nothing is written."""
    from copydesk.dataset_tables import selection_facts, show_selection
    from training.dataset import TRAIN, choose, read_tables, retraining_rules

    settings = get_settings()
    ledger, _ = _parts()
    selection = choose(read_tables(ledger.engine), retraining_rules(settings))
    trained = selection.of(TRAIN)
    by = {
        "error tag": Counter(tag for one in trained for tag in one.error_tags or ("none",)),
        "curator": Counter(one.curator for one in trained),
        "model that was corrected": Counter(one.model_version for one in trained),
    }
    stories = len({one.story_id for one in trained})
    if as_json:
        counts = {what: dict(counted.most_common()) for what, counted in by.items()}
        typer.echo(json.dumps(selection_facts(selection) | {"stories": stories, "train": counts}, indent=2))
        return
    show_selection(selection)
    table = Table("train", "", "examples")
    for what, counted in by.items():
        for place, (value, number) in enumerate(counted.most_common()):
            table.add_row("" if place else what, plain(value), f"{number:,}")
        table.add_section()
    console().print(table)
    typer.echo(f"{len(trained):,} examples of {stories:,} stories would be trained on; nothing was written.")


def _follow(ledger: Ledger, runner: Runner) -> str:
    said = ""
    while (ended := runner.watch()) is None:
        row = ledger.running()
        if row is not None and row.explanation != said:
            said = row.explanation
            typer.echo(said)
        time.sleep(POLL_S)
    return ended


def _parts() -> tuple[Ledger, Runner]:
    from infra.database import make_engine, migrate
    from infra.registry import ModelRegistry
    from workers.retrainer.first import first_champion
    from workers.retrainer.ledger import Ledger
    from workers.retrainer.runner import Runner

    settings = get_settings()
    engine = make_engine(settings)
    migrate(engine)
    registry = ModelRegistry(engine)
    first_champion(registry, settings, datetime.now(UTC))
    ledger = Ledger(engine, lambda: datetime.now(UTC))
    return ledger, Runner(settings, ledger, registry)
