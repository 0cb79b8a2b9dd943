"""`copydesk retrain`: why there is (no) training now, and training on demand."""

from __future__ import annotations

import getpass
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

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
        typer.echo(
            f"last run: {last.model_version}, {last.state} ({last.started_at:%Y-%m-%d %H:%M}): {last.explanation}"
        )


@app.command()
def run(reason: str = typer.Option("on demand", help="Why; it goes into the run's record.")) -> None:
    """Train now, whatever the trigger says; exit status 0 if the new version passed the gate."""
    from schemas.errors import Transient
    from workers.retrainer.announce import announce
    from schemas.training import AWAITING, PROMOTED

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
    raise typer.Exit(0 if last is not None and last.state == PROMOTED else 1)


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
