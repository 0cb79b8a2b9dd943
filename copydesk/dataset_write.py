"""`copydesk dataset write`: a model of this house titles a data set's articles, so that another can learn from them."""

from __future__ import annotations

import json

import typer
from rich.console import Console

from infra.settings import get_settings


def write(
    dataset: str = typer.Argument(help="The data set whose articles are titled: its name, its hash, or its folder."),
    model: str = typer.Option(..., help="Who writes: a version, `champion`, `base`, or an artefact's folder."),
    name: str = typer.Option("", help="A name for the new data set, to be used in place of its hash."),
    replace_curated: bool = typer.Option(
        False, "--replace-curated", help="Have the model write what curators gave a title, too."
    ),
    keep_faulty: bool = typer.Option(False, "--keep-faulty", help="Keep titles in which a house rule finds an error."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Make a data set of a model's own titles, each written with the prompt that the model was trained with."""
    from training.artefact import find_model
    from training.dataset import load_snapshot
    from training.dataset.snapshot import check_name, name_snapshot
    from training.taught import teach

    settings = get_settings()
    if name:
        check_name(name)
    teacher, source = find_model(model, settings), load_snapshot(settings.home, dataset)
    with Console(stderr=True).status("…") as status:
        made = teach(source, teacher, settings, status.update, replace_curated=replace_curated, keep_faulty=keep_faulty)
    if name:
        name_snapshot(settings.home, name, made.snapshot)
    if as_json:
        facts = {
            "hash": made.snapshot.hash,
            "folder": str(made.snapshot.folder),
            "name": name,
            "model": teacher.version,
            "prompt_version": teacher.prompt_version,
            "written": made.written,
            "curated": made.kept,
            "left_out": dict(made.left_out),
        }
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    for why, number in made.left_out.most_common():
        typer.echo(f"left out {number:,}: {why}")
    typer.echo(
        f"{made.written:,} titles by {teacher.version} with prompt {teacher.prompt_version}, {made.kept:,} curated"
    )
    typer.echo(f"data set {name or made.snapshot.hash[:16]}: {made.snapshot.folder} (hash {made.snapshot.hash[:16]})")
