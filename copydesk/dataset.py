"""`copydesk dataset`: what is trained on. Built from the newsroom's tables, imported, exported, looked at, compared."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from copydesk import dataset_write, moments
from infra.settings import Settings, get_settings
from schemas.errors import Invalid

if TYPE_CHECKING:  # imported inside the commands: `--help` answers at once
    from training.dataset import Rules, Snapshot
    from training.dataset.sources import Rows

app = typer.Typer(help="Training data: build, import, export, look at, compare.", no_args_is_help=True)
app.command()(dataset_write.write)
AS_JSON = typer.Option(False, "--json", help="Print JSON.")
NAME = typer.Option("", help="A name for the data set, to be used in place of its hash.")
VALIDATION = typer.Option(
    0.1, "--validation", min=0, max=0.5, help="Share of the training side's stories to measure training by."
)
REFERENCE = typer.Argument(help="A data set: its name, its hash or the first characters of it, or its folder.")


@app.command()
def build(
    without: list[str] = typer.Option(
        [], help="Leave out titles by origin: correction, approval, audit, teacher, import."
    ),
    without_model: list[str] = typer.Option([], help="Leave out what this model version wrote or was corrected in."),
    without_prompt: list[str] = typer.Option([], help="Leave out what was written with this prompt version."),
    without_curator: list[str] = typer.Option([], help="Leave out what this curator decided."),
    without_source: list[str] = typer.Option([], help="Leave out articles of this publisher."),
    since: str = typer.Option("", help=f"Only titles given from then on: {moments.HELP}."),
    until: str = typer.Option("", help="Only titles given before then."),
    further: list[str] = typer.Option([], "--with", help="Mix in this data set, as older examples."),
    new_from: str = typer.Option("", help="What is new begins then; default: what was never trained on."),
    older_share: float = typer.Option(1.0, min=0, max=1, help="Share of the training examples that may be older."),
    most_per_tag: int = typer.Option(0, min=0, help="At most so many training examples of one error tag; 0: any."),
    held_out_from: str = typer.Option("", help="Hold out every story with a title from then on as well."),
    validation: float = VALIDATION,
    name: str = NAME,
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be in it, and write nothing."),
    as_json: bool = AS_JSON,
) -> None:
    """Build a data set from corrections, approvals and audited titles, and from other data sets (--with)."""
    from training.dataset import Origin, Rules

    known = {origin.value for origin in Origin}
    if unknown := set(without) - known:
        raise Invalid(f"--without {min(unknown)}: there are {', '.join(sorted(known))}")
    rules = Rules(
        without_origins=frozenset(without),
        without_models=frozenset(without_model),
        without_prompts=frozenset(without_prompt),
        without_curators=frozenset(without_curator),
        without_sources=frozenset(without_source),
        since=_moment(since),
        until=_moment(until),
        validation_share=validation,
        held_out_from=_moment(held_out_from),
        new_from=_moment(new_from),
        older_share=older_share,
        most_per_tag=most_per_tag,
    )
    settings = get_settings()
    _check_name(name)
    _build(settings, rules, further, name, dry_run=dry_run, as_json=as_json)


def _build(settings: Settings, rules: Rules, further: list[str], name: str, *, dry_run: bool, as_json: bool) -> None:
    from copydesk.dataset_tables import selection_facts, show_selection
    from infra.database import make_engine, migrate
    from training.dataset import SPLITS, choose, load_snapshot, read_tables, write_snapshot

    mixed = [load_snapshot(settings.home, reference) for reference in further]
    engine = make_engine(settings)
    migrate(engine)
    examples = (one for snapshot in mixed for split in SPLITS for one in snapshot.stream(split))
    selection = choose(read_tables(engine), rules, examples)
    if dry_run:
        _print(selection_facts(selection)) if as_json else show_selection(selection)
        return
    if not selection.examples:
        if not as_json:
            show_selection(selection)
        raise Invalid(
            "there is no example for a data set: curate some titles, or mix one in (--with); nothing was written"
        )
    facts = {
        "made_by": "build",
        "rules": rules.words(),
        "with": [snapshot.hash for snapshot in mixed],
        "left_out": dict(selection.left_out),
        "corrections": dict(selection.counts),
    }
    snapshot = write_snapshot(selection.examples, settings.home, facts)
    _name(settings, name, snapshot)
    if as_json:
        _print({"hash": snapshot.hash, "folder": str(snapshot.folder), "name": name} | selection_facts(selection))
        return
    show_selection(selection)
    typer.echo(_written(snapshot, name))


@app.command(name="import")
def import_(
    place: str = typer.Argument(
        "", help="A file (JSONL, CSV, Parquet; also .gz), a folder, a pattern, or an address: s3://, https://, hf://…"
    ),
    text_column: str = typer.Option("text", help="The column with the article."),
    target_column: str = typer.Option("title", help="The column with the title to learn."),
    column: list[str] = typer.Option([], help="A further text column, for {column} in a prompt; can be repeated."),
    id_column: str = typer.Option("", help="The column whose values must not repeat; default: `id`, if there is one."),
    source_column: str = typer.Option("", help="The column with the publisher."),
    language_column: str = typer.Option("", help="The column with the language."),
    time_column: str = typer.Option("", help="The column with the time (ISO 8601) or the year."),
    story_column: str = typer.Option("", help="The column that says which rows tell one story."),
    allowed_column: str = typer.Option("", help="The column that says (yes, no) whether a row may be trained on."),
    sql: str = typer.Option("", help="Instead of a file: this query to COPYDESK_DATASET_DATABASE_URL."),
    name: str = NAME,
    limit: int | None = typer.Option(None, min=1, help="At most so many rows."),
    file_format: str = typer.Option("", "--format", help="jsonl, csv, parquet or hf, where the name does not tell."),
    encoding: str = typer.Option("utf-8", help="Encoding of text files."),
    origin: str = typer.Option("import", help="Who wrote the titles: import (publisher) or teacher (a larger model)."),
    model: str = typer.Option("", help="The teacher's name."),
    prompt: str = typer.Option("", help="What the teacher's prompt is called."),
    template: str = typer.Option("", help="Prompt template with {column} placeholders; @FILE reads it from a file."),
    validation: float = VALIDATION,
    strict: bool = typer.Option(False, "--strict", help="Refuse everything if one row is bad."),
    as_json: bool = AS_JSON,
) -> None:
    """Make a data set of rows from elsewhere. Bad rows are counted and shown; nearly equal articles stay together."""
    from copydesk.dataset_tables import import_facts, show_import
    from training.dataset.columns import Columns
    from training.dataset.example import Origin
    from training.dataset.importing import import_rows
    from training.dataset.sources import shown

    if bool(place) == bool(sql):
        raise Invalid("name a file, folder or address, or give a query with --sql: one of them")
    if origin not in (Origin.imported, Origin.teacher):
        raise Invalid(f"--origin {origin}: there are import and teacher; the others come from the desk")
    settings = get_settings()
    _check_name(name)
    columns = Columns(
        text=text_column,
        target=target_column,
        id=id_column,
        source=source_column,
        language=language_column,
        time=time_column,
        story=story_column,
        allowed=allowed_column,
        further=tuple(column),
        origin=Origin(origin),
        model=model,
        prompt=prompt,
        template=_template(template),
    )
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task("", rows=0)
        made = import_rows(
            _rows(settings, place, sql, file_format, encoding),
            columns,
            settings.home,
            came_from=shown(place) if place else f"query: {sql}",
            limit=limit,
            strict=strict,
            validation_share=validation,
            held_out_texts=_held_out_texts(settings),
            earlier=_earlier(settings, name),
            progress=lambda number: bar.update(task, rows=number),
        )
    _name(settings, name, made.snapshot)
    if as_json:
        _print({"name": name} | import_facts(made))
        return
    show_import(made)
    typer.echo(_written(made.snapshot, name))


def _rows(settings: Settings, place: str, sql: str, file_format: str, encoding: str) -> Rows:
    from training.dataset import database, sources

    if sql:
        return database.query(settings.dataset_database_url.get_secret_value(), sql)
    if file_format not in ("", "jsonl", "csv", "parquet", "hf"):
        raise Invalid(f"--format {file_format}: there are jsonl, csv, parquet and hf")
    return sources.read(place, form=file_format, encoding=encoding)


def _earlier(settings: Settings, name: str) -> Snapshot | None:
    """What the name stands for until now; a file that has grown is imported under the same name."""
    from training.dataset import UnknownDataset, load_snapshot
    from training.dataset.snapshot import names

    if name not in names(settings.home):
        return None
    with suppress(UnknownDataset):
        return load_snapshot(settings.home, name)
    return None


def _held_out_texts(settings: Settings) -> list[str]:
    """What the newsroom holds out; without a database there is nothing yet."""
    from infra.database import make_engine, migrate
    from training.dataset.tables import read_held_out_texts

    if settings.embedded_database and not (settings.home / "copydesk.db").is_file():
        return []
    engine = make_engine(settings)
    migrate(engine)
    return read_held_out_texts(engine)


@app.command()
def export(
    reference: str = REFERENCE,
    out: str = typer.Argument(help="A new or empty folder, or an address that fsspec knows."),
    file_format: str = typer.Option(
        "jsonl", "--format", help="jsonl, csv, parquet, hf (load_from_disk) or chat (messages)."
    ),
    split: list[str] = typer.Option([], help="Only this split: train, validation, holdout; can be repeated."),
    prompt: str = typer.Option("", help="Prompt version for chat; default: the data set's own template, else v3."),
) -> None:
    """Write a data set for others: a file per split, or a Hugging Face folder."""
    from copydesk.dataset_tables import prompter
    from training.dataset import SPLITS, load_snapshot
    from training.dataset.export import Format
    from training.dataset.export import export as write

    if file_format not in list(Format):
        raise Invalid(f"--format {file_format}: there are {', '.join(Format)}")
    if unknown := set(split) - set(SPLITS):
        raise Invalid(f"--split {min(unknown)}: there are {', '.join(SPLITS)}")
    snapshot = load_snapshot(get_settings().home, reference)
    written = write(snapshot, out, Format(file_format), splits=split or SPLITS, prompt=prompter(snapshot, prompt))
    for path in written:
        typer.echo(path)


@app.command()
def show(
    reference: str = typer.Argument("", help="A data set; without one, all of them are listed."),
    rows: int = typer.Option(3, min=0, help="Examples to show of every split."),
    as_json: bool = AS_JSON,
) -> None:
    """Count what is in a data set by split, origin, error tag, curator and publisher, and show some of it."""
    from copydesk.dataset_tables import list_facts, show_facts, show_list, show_snapshot
    from training.dataset import load_snapshot

    home = get_settings().home
    if not reference:
        _print(list_facts(home)) if as_json else show_list(home)
        return
    snapshot = load_snapshot(home, reference)
    _print(show_facts(snapshot, rows)) if as_json else show_snapshot(snapshot, rows)


@app.command()
def diff(
    before: str = REFERENCE,
    after: str = REFERENCE,
    rows: int = typer.Option(10, min=0, help="Examples to show of each kind."),
    as_json: bool = AS_JSON,
) -> None:
    """Say what came, what went and what changed from one data set to another."""
    from copydesk.dataset_tables import diff_facts, show_diff
    from training.dataset import load_snapshot
    from training.dataset.describe import compare

    home = get_settings().home
    difference = compare(load_snapshot(home, before), load_snapshot(home, after))
    _print(diff_facts(difference)) if as_json else show_diff(difference, rows)


def _template(words: str) -> str:
    if not words.startswith("@"):
        return words
    try:
        return Path(words[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise Invalid(f"the prompt template {words[1:]} cannot be read: {error}") from error


def _moment(words: str) -> datetime | None:
    return moments.moment(words, datetime.now(UTC)) if words else None


def _check_name(name: str) -> None:
    from training.dataset.snapshot import check_name

    if name:  # before the work, not after it
        check_name(name)


def _name(settings: Settings, name: str, snapshot: Snapshot) -> None:
    from training.dataset.snapshot import name_snapshot

    if name:
        name_snapshot(settings.home, name, snapshot)


def _written(snapshot: Snapshot, name: str) -> str:
    return f"data set {name or snapshot.hash[:16]}: {snapshot.folder} (hash {snapshot.hash[:16]})"


def _print(facts: object) -> None:
    typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
