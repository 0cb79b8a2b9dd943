"""The command line. Heavy imports stay inside the commands, so that `--help` answers at once.

Trouble that a person can mend is told in one sentence on standard error with exit status 1; a traceback is a defect.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib import import_module
from pathlib import Path

import typer

from copydesk import (
    archive,
    cost,
    curate,
    dataset,
    dlt,
    evaluate,
    export,
    feeds,
    label,
    models,
    prompts,
    quality,
    replay,
    retrain,
    score,
    train,
)
from infra.settings import Settings, get_settings
from schemas.errors import Mendable

app = typer.Typer(
    name="copydesk",
    help="A newspaper's copy desk as a worker system: feeds in, house-style titles out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.add_typer(archive.app, name="archive")
app.add_typer(cost.app, name="cost")
app.add_typer(curate.app, name="curate")
app.add_typer(dataset.app, name="dataset")
app.add_typer(dlt.app, name="dlt")
app.add_typer(feeds.app, name="feeds")
app.add_typer(models.app, name="models")
app.add_typer(prompts.app, name="prompts")
app.add_typer(retrain.app, name="retrain")
app.command()(replay.replay)
app.command()(evaluate.evaluate)
app.command()(evaluate.compare)
app.command(name="compare-votes")(evaluate.compare_votes)
app.command()(export.export)
app.command()(label.label)
app.command()(quality.quality)
app.command()(score.score)
app.command()(train.train)


def main() -> None:
    """The `copydesk` command."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it tells everybody about a package that nobody needs
    try:
        app()
    except Mendable as error:
        sys.exit(f"copydesk: {error}")


def _log_as(name: str) -> Settings:
    settings = get_settings()
    import_module("infra.observability.logs").setup(name, settings.log_format)
    return settings


@contextmanager
def _observed(name: str) -> Iterator[Settings]:
    """Logs and traces as the process `name`."""
    settings = _log_as(name)
    tracing = import_module("infra.observability.tracing")
    tracing.start(settings, name)
    import_module("infra.observability.metrics").speak_as(name)
    try:
        yield settings
    finally:
        tracing.stop()


class WorkerName(StrEnum):
    """The six workers."""

    scraper = "scraper"
    generator = "generator"
    scorer = "scorer"
    archivist = "archivist"
    desk = "desk"
    retrainer = "retrainer"


@app.command()
def worker(name: WorkerName) -> None:
    """Run one worker until it is told to stop."""
    with _observed(name) as settings:
        import_module(f"workers.{name}.worker").main(settings)


@app.command()
def broker() -> None:
    """Run the embedded Apache Kafka broker on 127.0.0.1."""
    import_module("infra.broker").main(_log_as("broker"))


@app.command(name="model-server")
def model_server() -> None:
    """Run the embedded model server (OpenAI protocol, vLLM's adapter endpoints)."""
    with _observed("model-server") as settings:
        import_module("infra.model_server").main(settings)


@app.command()
def gateway() -> None:
    """Answer services that want a title now: `POST /v1/titles`, with one of COPYDESK_GATEWAY_KEYS."""
    with _observed("gateway") as settings:
        import_module("copydesk.gateway").main(settings)


@app.command()
def newsroom(
    articles: Path | None = typer.Option(
        None, help="Serve this JSONL file (id, url, source, title, text) instead of simulated stories."
    ),
    limit: int | None = typer.Option(None, min=1, help="At most so many articles of the file."),
    per_minute: float = typer.Option(60.0, min=0.1, help="New articles per minute."),
    total: int | None = typer.Option(None, min=1, help="Stop after so many articles; default: go on without end."),
    seed: int = typer.Option(1, help="The same seed gives the same stories."),
) -> None:
    """Run a simulated press on 127.0.0.1: sites, feeds and article pages."""
    settings = _log_as("newsroom")
    module = import_module("infra.newsroom.app")
    module.main(settings, articles=articles, limit=limit, per_minute=per_minute, seed=seed, total=total)


@app.command()
def demo(
    once: bool = typer.Option(False, "--once", help="End after the final table instead of staying up."),
    as_json: bool = typer.Option(False, "--json", help="Print the outcome as one JSON object."),
    articles: Path | None = typer.Option(None, help="Real articles from this JSONL file instead of simulated stories."),
    limit: int | None = typer.Option(None, min=1, help="At most so many articles."),
    no_retrain: bool = typer.Option(False, "--no-retrain", help="No training: articles to scored titles only."),
    seed: int = typer.Option(1, help="The same seed gives the same stories."),
    patience: float = typer.Option(900.0, min=30, help="Seconds the wheel may take to turn once."),
) -> None:
    """Run the whole wheel on this machine, with a simulated press and a scripted curator."""
    command = import_module("copydesk.demo.command")
    options = command.options_of(once, articles, limit, no_retrain, seed, patience)
    raise typer.Exit(command.run(options, get_settings(), as_json=as_json))


@app.command()
def up() -> None:
    """Run Copydesk on this machine: embedded services and all six workers, until Ctrl-C."""
    import_module("copydesk.up").run(get_settings())


@app.command()
def explain(
    article: str = typer.Argument(help="The article's id, the first characters of it, or its address."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Tell an article's whole way: where it came from, its titles and scores, what people did, what learned from it."""
    raise typer.Exit(import_module("copydesk.explain").run(get_settings(), article, as_json=as_json))


@app.command()
def trace(
    article: str = typer.Argument(help="The article's id, the first characters of it, or its address."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show an article's way through the workers: every span of its trace, when it began and how long it took."""
    raise typer.Exit(import_module("copydesk.trace").run(get_settings(), article, as_json=as_json))


@app.command()
def doctor(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Say what is there, what is missing and what to do about it; exit status 0 if everything necessary is there."""
    raise typer.Exit(import_module("copydesk.doctor").run(get_settings(), as_json=as_json))
