"""`copydesk models`: the registry's versions and aliases, promotion and rollback by hand."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from copydesk.console import console
from infra.settings import get_settings

if TYPE_CHECKING:  # the registry's imports are heavy; `--help` does without them
    from infra.registry import ModelRegistry
    from schemas.records import ModelVersionRow

app = typer.Typer(help="Model versions: list, show, promote, roll back.", no_args_is_help=True)
AS_JSON = typer.Option(False, "--json", help="Print JSON.")
ALIAS = typer.Option("champion", help="Which alias.")


@app.command(name="list")
def list_versions(as_json: bool = AS_JSON) -> None:
    """All versions with what they are made of and how they did; the champion is marked."""
    registry = _registry()
    rows = registry.list()
    champion = registry.alias("champion")
    serving = champion.version if champion else None
    if as_json:
        _print_json([_facts(row) | {"champion": row.version == serving} for row in rows])
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
        mark = "▶" if row.version == serving else ""
        table.add_row(mark, row.version, row.parent or "–", *figures, f"{row.created_at:%Y-%m-%d %H:%M}")
    console().print(table)


@app.command()
def show(version: str) -> None:
    """Everything the registry knows about one version, as JSON."""
    row = _registry().get(version)
    if row is None:
        raise _unknown(version)
    _print_json(_facts(row))


@app.command()
def history(alias: str = ALIAS, as_json: bool = AS_JSON) -> None:
    """Every move of an alias: who, when, why."""
    rows = _registry().history(alias)
    if as_json:
        _print_json([row.model_dump(mode="json") for row in rows])
        return
    table = Table("#", "version", "before", "by", "why", "gate", "when", "announced")
    for row in rows:
        when = f"{row.decided_at:%Y-%m-%d %H:%M:%S}"
        announced = "yes" if row.announced else "not yet"
        table.add_row(
            str(row.sequence),
            row.version,
            row.previous_version or "–",
            row.actor,
            row.reason,
            row.gate_verdict,
            when,
            announced,
        )
    console().print(table)


@app.command()
def promote(
    version: str,
    reason: str = typer.Option(..., help="Why; it goes into the history."),
    alias: str = ALIAS,
) -> None:
    """Make a version champion by hand. The generators switch to it within seconds."""
    _move(alias, version, reason)


@app.command()
def rollback(reason: str = typer.Option(..., help="Why; it goes into the history."), alias: str = ALIAS) -> None:
    """Go back to the version before the present one."""
    moves = _registry().history(alias)
    if not moves or moves[-1].previous_version is None:
        raise typer.BadParameter(f"{alias} has no version before the present one")
    _move(alias, moves[-1].previous_version, reason)


def _move(alias: str, version: str, reason: str) -> None:
    from infra.registry import Conflict, UnknownVersion
    from schemas.errors import Transient
    from workers.retrainer.announce import announce

    registry = _registry()
    now = registry.alias(alias)
    if now is not None and now.version == version:
        typer.echo(f"{alias} is {version} already")
        return
    try:
        registry.set_alias(
            alias,
            version,
            expected_sequence=now.sequence if now else 0,
            actor=getpass.getuser(),
            reason=reason,
            gate_verdict="none: moved by hand",
        )
    except UnknownVersion as error:
        raise _unknown(version) from error
    except Conflict as error:
        raise typer.BadParameter(f"{error}; look again and repeat") from error
    typer.echo(f"{alias}: {now.version if now else 'nothing'} → {version}")
    try:
        announce(registry, get_settings())
    except Transient as error:
        typer.echo(f"recorded, but not announced yet ({error}); the retrainer announces it once the broker answers")
        raise typer.Exit(1) from error


def _registry() -> ModelRegistry:
    database = import_module("infra.database")
    engine = database.make_engine(get_settings())
    database.migrate(engine)
    registry: ModelRegistry = import_module("infra.registry").ModelRegistry(engine)
    return registry


def _facts(row: ModelVersionRow) -> dict[str, object]:
    return row.model_dump(mode="json")


def _unknown(version: str) -> typer.BadParameter:
    return typer.BadParameter(f"no version {version!r}; `copydesk models list` shows all")


def _print_json(value: Sequence[object] | dict[str, object]) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
