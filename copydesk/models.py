"""`copydesk models`: the registry's versions and aliases, trial, promotion and rollback by hand."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from copydesk import trial
from copydesk.console import console, plain
from infra.settings import Settings, get_settings

if TYPE_CHECKING:  # the registry's imports are heavy; `--help` does without them
    from sqlalchemy import Engine

    from infra.registry import ModelRegistry
    from schemas.records import ModelVersionRow, TrainingRunRow
    from workers.retrainer.ledger import Ledger

app = typer.Typer(help="Model versions: list, show, try, promote, roll back.", no_args_is_help=True)
app.command(name="try")(trial.try_version)
AS_JSON = typer.Option(False, "--json", help="Print JSON.")
ALIAS = typer.Option("champion", help="Which alias.")


@app.command(name="list")
def list_versions(as_json: bool = AS_JSON) -> None:
    """All versions with what they are made of and how they did; champion and canary are marked."""
    registry = _registry()
    rows = registry.list()
    champion, canary = registry.alias("champion"), registry.alias("canary")
    serving = champion.version if champion else None
    tried = canary.version if canary and canary.version != serving else None
    if as_json:
        _print_json(
            [_facts(row) | {"champion": row.version == serving, "canary": row.version == tried} for row in rows]
        )
        return
    table = Table("", "version", "parent", "house rules", "names right", "precision", "stories", "made")
    for row in rows:
        figures = [
            f"{row.metrics[name]:{form}}" if name in row.metrics else "–"
            for name, form in (
                ("house_rules_pass", ".0%"),
                ("entities_right", ".0%"),
                ("precision_mean", ".3f"),
                ("n", ""),
            )
        ]
        mark = {serving: "▶", tried: "canary"}.get(row.version, "")
        table.add_row(mark, row.version, row.parent or "–", *figures, f"{row.created_at:%Y-%m-%d %H:%M}")
    console().print(table)


@app.command()
def show(version: str) -> None:
    """Everything the registry knows about one version, and the run that made it, as JSON."""
    row = _registry().get(version)
    if row is None:
        raise _unknown(version)
    run = _ledger().of_version(version)
    made_by = run.model_dump(mode="json", exclude={"lease_until"}) | {"report": _report(run)} if run else None
    _print_json(_facts(row) | {"training_run": made_by})


@app.command()
def history(alias: str = ALIAS, as_json: bool = AS_JSON) -> None:
    """Every move of an alias: who, when, why, and the gate's report on the version."""
    ledger = _ledger()
    settings = get_settings()
    rows = [
        (row, _report(ledger.of_version(row.version)) or trial.page_of(row.version, settings))
        for row in _registry().history(alias)
    ]
    if as_json:
        _print_json([row.model_dump(mode="json") | {"report": report} for row, report in rows])
        return
    table = Table("#", "version", "before", "by", "why", "gate", "when", "announced", "report")
    for row, report in rows:
        when = f"{row.decided_at:%Y-%m-%d %H:%M:%S}"
        announced = "yes" if row.announced else "not yet"
        table.add_row(
            str(row.sequence),
            row.version,
            row.previous_version or "–",
            plain(row.actor),
            plain(row.reason),
            plain(row.gate_verdict),
            when,
            announced,
            plain(report or "–"),
        )
    console().print(table)


@app.command()
def promote(
    version: str,
    reason: str = typer.Option(..., help="Why; it goes into the history."),
    alias: str = ALIAS,
    canary: bool = typer.Option(
        False, "--canary", help="Give it COPYDESK_CANARY_SHARE of the articles first; the same as --alias canary."
    ),
) -> None:
    """Make a version champion by hand, or approve one that awaits it. The generators switch to it within seconds.

    A canary becomes champion by itself after COPYDESK_CANARY_TITLES titles, or is sent back if they are worse. To stop
    it by hand, promote the champion's version as canary.
    """
    _move("canary" if canary else alias, version, reason)


@app.command()
def rollback(reason: str = typer.Option(..., help="Why; it goes into the history."), alias: str = ALIAS) -> None:
    """Go back to the version before the present one; again, and it is the one before that."""
    from infra.registry import version_before

    before = version_before(_registry().history(alias))
    if before is None:
        raise typer.BadParameter(f"{alias} has no version before the present one")
    _move(alias, before, reason)


def _move(alias: str, version: str, reason: str) -> None:
    from infra.artefacts import version_objection
    from infra.registry import CANARY, CHAMPION, Conflict
    from schemas.errors import Transient
    from schemas.training import RUNNING
    from workers.retrainer.announce import announce

    registry, ledger = _registry(), _ledger()
    row = registry.get(version)
    if row is None:
        raise _unknown(version)
    if objection := version_objection(row):
        raise typer.BadParameter(f"{version} is refused: {objection}")
    champion = registry.alias(CHAMPION)
    stops = champion is not None and champion.version == version
    if alias == CANARY and not stops and not get_settings().canary_share:
        raise typer.BadParameter(
            "set COPYDESK_CANARY_SHARE to the share of the articles that a canary gets, such as 0.1"
        )
    now = registry.alias(alias)
    if now is not None and now.version == version:
        typer.echo(f"{alias} is {version} already")
        return
    run = ledger.of_version(version)
    verdict = str(run.gate_report.get("verdict", "")) if run and run.state != RUNNING else ""
    verdict = verdict or trial.verdict_of(version, get_settings())
    try:
        registry.set_alias(
            alias,
            version,
            expected_sequence=now.sequence if now else 0,
            actor=getpass.getuser(),
            reason=reason,
            gate_verdict=f"moved by hand; its gate said: {verdict}" if verdict else "none: moved by hand",
        )
    except Conflict as error:
        raise typer.BadParameter(f"{error}; look again and repeat") from error
    ledger.approved(version, f"{version} is {alias}: approved by {getpass.getuser()}: {reason}")
    typer.echo(f"{alias}: {now.version if now else 'nothing'} → {version}")
    try:
        announce(registry, get_settings())
    except Transient as error:
        typer.echo(f"recorded, but not announced yet ({error}); the retrainer announces it once the broker answers")
        raise typer.Exit(1) from error


def _registry() -> ModelRegistry:
    registry: ModelRegistry = import_module("infra.registry").ModelRegistry(_engine())
    return registry


def _ledger() -> Ledger:
    ledger: Ledger = import_module("workers.retrainer.ledger").Ledger(_engine(), lambda: datetime.now(UTC))
    return ledger


@lru_cache(maxsize=1)
def _engine_of(settings: Settings) -> Engine:
    database = import_module("infra.database")
    engine: Engine = database.make_engine(settings)
    database.migrate(engine)
    return engine


def _engine() -> Engine:
    return _engine_of(get_settings())


def _report(run: TrainingRunRow | None) -> str:
    """Where the gate's report on a run's version is; empty if there is none."""
    if run is None or not run.gate_report:
        return ""
    page = get_settings().home / "runs" / str(run.run_id) / "gate.html"
    return str(page) if page.is_file() else f"copydesk models show {run.model_version}"


def _facts(row: ModelVersionRow) -> dict[str, object]:
    return row.model_dump(mode="json")


def _unknown(version: str) -> typer.BadParameter:
    return typer.BadParameter(f"no version {version!r}; `copydesk models list` shows all")


def _print_json(value: Sequence[object] | dict[str, object]) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
