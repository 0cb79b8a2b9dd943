"""`copydesk models try`: the gate's trial for a version that was trained by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from infra.settings import Settings, get_settings
from schemas.errors import Invalid

if TYPE_CHECKING:  # imported inside the command: `--help` answers at once
    from sqlalchemy import Engine

    from training.evaluate import Story

FOLDER, REPORT = "trials", "gate.json"


def try_version(
    version: str = typer.Argument(help="A registered version; who it is compared with is the champion."),
    dataset: str = typer.Option("", help="Held-out split of this data set; default: the house's held-out stories."),
    stories: int = typer.Option(80, min=1, help="At most so many held-out stories."),
) -> None:
    """Let a version stand the gate's trial, and say what decided. Status 1: refused. It is promoted in no case."""
    from editorial.bertscore import Scorer
    from editorial.golden import load_golden
    from infra.database import make_engine, migrate
    from infra.folder import write_whole
    from infra.registry import CHAMPION, ModelRegistry
    from training.gate_report import PAGE_FILE, lines, write_report
    from training.trial import Bench, Candidate, try_out

    settings = get_settings()
    engine = make_engine(settings)
    migrate(engine)
    registry = ModelRegistry(engine)
    row, alias = registry.get(version), registry.alias(CHAMPION)
    if row is None:
        raise Invalid(f"there is no version {version!r}; `copydesk models list` shows all")
    if alias is not None and alias.version == version:
        raise Invalid(f"{version} is the champion: there is nothing to compare it with")
    champion = registry.get(alias.version) if alias else None
    held_out = _held_out(settings, engine, dataset, stories)
    golden = load_golden(settings.golden_examples)
    with Console(stderr=True).status("…") as status:
        scorer = Scorer(settings.scorer_model, settings.threads)
        candidate = Candidate(version, Path(row.artefact_uri), row.digest, row.prompt_version)
        report = try_out(candidate, champion, held_out, Bench(settings, golden, scorer, status.update))
    folder = settings.home / FOLDER / version
    folder.mkdir(parents=True, exist_ok=True)
    against = champion.version if champion else None
    write_report(folder, version, against, report)
    write_whole(folder / REPORT, report.model_dump_json(indent=1))
    typer.echo("\n".join(lines(version, against, report)))
    typer.echo(f"report: {(folder / PAGE_FILE).resolve().as_uri()}")
    if not report.passed:
        raise typer.Exit(1)


def verdict_of(version: str, settings: Settings) -> str:
    """What the last trial of a version said; empty if it stood none."""
    file = settings.home / FOLDER / version / REPORT
    return str(json.loads(file.read_bytes())["verdict"]) if file.is_file() else ""


def page_of(version: str, settings: Settings) -> str:
    """Where the report of the last trial is; empty if there is none."""
    from training.gate_report import PAGE_FILE

    file = settings.home / FOLDER / version / PAGE_FILE
    return str(file) if file.is_file() else ""


def _held_out(settings: Settings, engine: Engine, dataset: str, stories: int) -> Sequence[Story]:
    from training.dataset import HOLDOUT, load_snapshot, read_tables, select_holdout
    from training.trial import HeldOutExample

    if not dataset:
        return select_holdout(read_tables(engine).articles, stories)
    examples = load_snapshot(settings.home, dataset).examples(HOLDOUT)
    return [HeldOutExample(one.article_id, one.title, one.text, one.language) for one in examples[:stories]]
