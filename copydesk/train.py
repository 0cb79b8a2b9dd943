"""`copydesk train`: a model version from a recipe and a data set. It is registered, never promoted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from copydesk.console import console
from infra.settings import get_settings

if TYPE_CHECKING:  # torch and transformers stay out of `--help`
    from training.finetune import Step


def train(
    config: str = typer.Argument(help="A recipe of training/configs by its name, or the path of a YAML file."),
    dataset: str = typer.Option(..., help="The data set: its name, its hash, or its folder."),
    name: str = typer.Option("", help="What the version is called; default: recipe and data set."),
    parent: str = typer.Option("champion", help="For a recipe that starts from an adapter: whose."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what it will take, and train nothing."),
    anyway: bool = typer.Option(False, "--anyway", help="Try it even if the memory seems too small."),
) -> None:
    """Train a model version. Interrupted, the same command goes on where it was."""
    from schemas.errors import Mendable
    from training.dataset import load_snapshot
    from training.finetune import memory_mb
    from training.processes import together
    from training.recipe import load_recipe
    from training.version import look_ahead, make_version

    settings = get_settings()
    try:
        recipe = load_recipe(config)
    except (ValueError, FileNotFoundError) as error:
        raise Mendable(str(error)) from error
    snapshot = load_snapshot(settings.home, dataset)
    version = name or f"{Path(config).stem}-{snapshot.hash[:8]}"
    if dry_run:
        from training.dataset import TRAIN
        from training.preflight import advice

        shape, needed = look_ahead(settings, recipe, snapshot)
        typer.echo(
            f"{version}: {len(snapshot.examples(TRAIN)):,} examples of up to {shape.tokens:,} tokens, "
            f"{shape.examples} at a time; {needed}"
        )
        typer.echo("it will fit" if needed.fits else f"it will not fit: {advice(recipe, shape)}")
        return
    with together() as processes:
        out, err = console(), Console(stderr=True)
        out.quiet = err.quiet = not processes.first
        among = f", {processes.size} processes" if processes.size > 1 else ""
        out.print(f"{version}: recipe {config} on data set {dataset} ({snapshot.hash[:16]}){among}", highlight=False)
        with Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=err,
        ) as bar:
            task = bar.add_task("loading the base model", total=None)

            def show(step: Step) -> None:
                words = f"loss {step.loss:.3f}, {step.tokens_per_second:,.0f} tokens/s, {step.memory_mb:,} MB"
                bar.update(task, completed=step.number, total=step.of, description=words)

            made = make_version(settings, recipe, snapshot, version, show, processes, parent, anyway)
    if made is None:
        return
    log = made.log
    out.print(
        f"{version}: {log.steps} steps over {log.examples} examples, loss {log.losses[0]:.3f} → {log.losses[-1]:.3f}"
        + (f", validation {min(log.validation_losses):.3f}" if log.validation_losses else "")
        + (f", went on after step {log.resumed_at}" if log.resumed_at else ""),
        f"{log.seconds:.0f} s, {log.tokens / max(log.seconds, 1e-9):,.0f} tokens/s, "
        f"{log.trainable_parameters:,} parameters trained, {memory_mb():,} MB memory at most",
        f"registered; it serves nobody until `copydesk models promote {version}`",
        sep="\n",
        highlight=False,
    )
