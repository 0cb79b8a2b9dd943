"""`copydesk evaluate`, `copydesk compare` and `copydesk compare-votes`: how good the titles of models are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from copydesk.console import BAD, console
from infra.settings import get_settings
from schemas.errors import Invalid

if TYPE_CHECKING:  # imported inside the commands: `--help` answers at once
    from training.evaluation import Evaluation

REFERENCE = "A version, `champion`, `base`, or an artefact's folder."
DATASET = typer.Option("", help="Held-out split of this data set; default: the held-out stories of this house.")
STORIES = typer.Option(0, "--stories", min=0, help="At most so many held-out articles; 0: all.")
OUT = typer.Option(None, help="Folder for the report; default: one in the data folder.")
AS_JSON = typer.Option(False, "--json", help="Print the report's figures as JSON.")


def evaluate(
    model: str = typer.Argument(help=REFERENCE),
    dataset: str = DATASET,
    stories: int = STORIES,
    out: Path | None = OUT,
    as_json: bool = AS_JSON,
) -> None:
    """Measure a model's titles on articles that nothing was trained on, and write a report for editors."""
    _evaluate([model], dataset, stories, out, as_json=as_json)


def compare(
    models: list[str] = typer.Argument(help="Models as in `evaluate`; the first is what the others are compared with."),
    dataset: str = DATASET,
    stories: int = STORIES,
    blind_rows: int = typer.Option(100, min=0, help="At most so many pairs of titles to vote on; 0: all."),
    out: Path | None = OUT,
    as_json: bool = AS_JSON,
) -> None:
    """Let several models title the same held-out articles: differences beyond chance, cost, a blind sheet."""
    if len(models) < 2:
        raise Invalid("compare needs two models or more; `copydesk evaluate` takes one")
    evaluation, folder = _evaluate(models, dataset, stories, out, as_json=as_json)
    from training import votes

    rows = votes.write_sheet(evaluation, folder, blind_rows)
    if not as_json:
        typer.echo(f"blind sheet: {(folder / votes.BALLOT).resolve().as_uri()} ({rows} rows, as {votes.SHEET} too)")
        typer.echo(f"when people have voted: copydesk compare-votes FILE … --key {folder / votes.KEY}")


def compare_votes(
    sheets: list[Path] = typer.Argument(help="Filled-in sheets, one per person."),
    key: Path | None = typer.Option(None, help="Their blind-key.json; default: the one beside the first sheet."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Count the votes of blind sheets: which model's titles people prefer, and how far people agree."""
    from dataclasses import asdict

    from training import votes

    counts, agreement = votes.count_votes(sheets, key or sheets[0].with_name(votes.KEY))
    if as_json:
        found = {"counts": [asdict(one) for one in counts], "agreement": asdict(agreement)}
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("models", "first preferred", "second preferred", "equal", "p")
    for one in counts:
        row = (f"{one.first} or {one.second}", str(one.first_won), str(one.second_won), str(one.ties))
        table.add_row(*row, f"{one.sign_p:.3f}")
    console().print(table)
    if agreement.pairs:
        typer.echo(f"two people gave the same answer in {agreement.agreed} of {agreement.pairs} cases")


def _evaluate(
    references: Sequence[str], dataset: str, stories: int, out: Path | None, *, as_json: bool
) -> tuple[Evaluation, Path]:
    from training.artefact import find_model
    from training.evaluation import evaluate as run
    from training.held_out import held_out_of
    from training.report import FACTS, PAGE, SHEET, TITLES, write_report
    from training.written import file_name

    settings = get_settings()
    models = [find_model(reference, settings) for reference in references]
    held_out = held_out_of(settings, dataset, stories)
    name = file_name("-".join([*(model.version for model in models), held_out.hash[:8]]))
    folder = out or settings.home / "evaluations" / name
    _can_write(folder)  # said before an hour's work, not after it
    try:
        with Console(stderr=True).status("…") as status:
            evaluation = run(models, held_out, settings, status.update)
    except KeyboardInterrupt:
        typer.echo("interrupted; the titles so far are kept: the same command goes on with them", err=True)
        raise
    facts = write_report(evaluation, folder)
    if as_json:
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        _show(facts)
        typer.echo(f"report: {(folder / PAGE).resolve().as_uri()} (beside it {FACTS}, {TITLES}, {SHEET})")
    return evaluation, folder


def _can_write(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Invalid(
            f"no report can be written to {folder} ({error.strerror}): name another folder with --out"
        ) from error


def _show(facts: dict[str, Any]) -> None:
    from training.evaluation_page import figure
    from training.measures import MEASURES

    held_out = facts["held_out"]
    title = (
        f"{held_out['articles']} held-out articles ({held_out['name']}), {held_out['with_reference']} with a reference"
    )
    table = Table("", *(model["name"] for model in facts["models"]), title=title)
    for name, measure in MEASURES.items():
        found = [model["measures"].get(name) for model in facts["models"]]
        if any(found):
            table.add_row(measure.label, *(_cell(one, name, figure) for one in found))
    perplexities = [f"{one['perplexity']['mean']:.3g}" if one["perplexity"] else "–" for one in facts["models"]]
    table.add_row("perplexity", *perplexities)
    costs = [one["cost"] for one in facts["models"]]
    table.add_row("seconds per title", *(f"{one['seconds']:.3f}" if one else "–" for one in costs))
    table.add_row("tokens read", *(_read(one) for one in costs))
    table.add_row("tokens written", *(f"{one['tokens_out']:.1f}" if one else "–" for one in costs))
    console().print(table)
    for one in facts["models"]:
        if one["trained_on"]:
            words = f"{one['name']} was trained on {one['trained_on']} of these articles"
            console().print(f"{words}: its figures are too good", style=BAD, highlight=False)
        if one["prompts_too_long"]:
            words = (
                f"{one['prompts_too_long']} articles do not fit into {one['name']} with its prompt: it was not asked"
            )
            console().print(f"{words}; lower COPYDESK_MAX_ARTICLE_TOKENS", style=BAD, highlight=False)
    for other, measures in facts["differences"].items():
        first = facts["models"][0]["name"]
        beyond = [
            f"{MEASURES[name].label} {one['mean']:+.3f}"
            for name, one in measures.items()
            if MEASURES[name].higher_is_better is not None and one["beyond_chance"]
        ]
        typer.echo(f"{other} against {first}, beyond chance: {', '.join(beyond) or 'nothing'}")


def _read(cost: dict[str, float]) -> str:
    if not cost:
        return "–"
    saved = f" ({100 * cost['prompt_saved']:.0f} % saved)" if cost.get("prompt_saved") else ""
    return f"{cost['tokens_in']:.0f}{saved}"


def _cell(found: dict[str, float] | None, name: str, figure: Any) -> str:
    if not found:
        return "–"
    mean, low, high = (figure(found[key], name) for key in ("mean", "low", "high"))
    return rf"{mean} \[{low.removesuffix(' %')}–{high}]"
