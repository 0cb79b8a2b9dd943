"""How `copydesk dataset` shows what it did: tables for people, plain values for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from copydesk.console import console, plain
from editorial import prompts
from schemas.errors import Invalid
from training.dataset import SPLITS, DamagedDataset, Example, Selection, Snapshot
from training.dataset.describe import Difference, describe, first_rows
from training.dataset.importing import Imported
from training.dataset.snapshot import names, open_snapshot, whole_folders
from training.dataset.template import render

MOST = 12
"""Values of one kind that a table shows, the commonest first."""
_SHORT = 70


def selection_facts(selection: Selection) -> dict[str, Any]:
    """What was chosen, by split and origin, and what was left out."""
    splits = {split: dict(Counter(str(one.origin) for one in selection.of(split))) for split in SPLITS}
    tags = Counter(tag for one in selection.of("train") for tag in one.error_tags)
    return {
        "splits": splits,
        "error_tags": dict(tags),
        "left_out": dict(selection.left_out),
        "corrections": dict(selection.counts),
    }


def show_selection(selection: Selection) -> None:
    """The same as tables."""
    table = Table("split", "examples", "from")
    for split in SPLITS:
        origins = Counter(str(one.origin) for one in selection.of(split))
        table.add_row(split, f"{origins.total():,}", _counted(origins))
    console().print(table)
    unused = {words: n for words, n in selection.counts.items() if words not in SPLITS}
    everything = {words.removeprefix("left out: "): n for words, n in unused.items()} | dict(selection.left_out)
    _show_left_out(everything)


def import_facts(made: Imported) -> dict[str, Any]:
    """What was read and what became of it."""
    return {
        "hash": made.snapshot.hash,
        "folder": str(made.snapshot.folder),
        "rows": {"read": made.reading.read, "bad": made.reading.bad},
        "bad_rows": [asdict(row) for row in made.reading.shown],
        "left_out": dict(made.left_out),
        "stories": made.stories,
        "largest_story": made.largest_story,
        "splits": {split: made.snapshot.count(split) for split in SPLITS},
    }


def show_import(made: Imported) -> None:
    """The same in words."""
    reading = made.reading
    typer.echo(f"{reading.read:,} rows read, {reading.bad:,} of them bad.")
    for row in reading.shown:
        console().print(plain(f"  {row.place}: {row.why}"), soft_wrap=True)
    if reading.bad > len(reading.shown):
        typer.echo(f"  and {reading.bad - len(reading.shown):,} more")
    _show_left_out(made.left_out)
    splits = ", ".join(f"{made.snapshot.count(split):,} {split}" for split in SPLITS)
    largest = f", the largest with {made.largest_story:,} articles" if made.largest_story > 1 else ""
    typer.echo(f"{splits}; {made.stories:,} stories{largest}.")


def list_facts(home: Path) -> list[dict[str, Any]]:
    """All data sets; of a damaged one only what is wrong with it."""
    given = names(home)
    facts: list[dict[str, Any]] = []
    for folder in whole_folders(home):
        called = [name for name, stands_for in given.items() if stands_for == folder.name]
        try:
            snapshot = open_snapshot(folder)
        except DamagedDataset as error:
            facts.append({"folder": folder.name, "names": called, "damaged": str(error)})
            continue
        facts.append(
            {"folder": folder.name, "names": called, "hash": snapshot.hash}
            | {"splits": {split: snapshot.count(split) for split in SPLITS}}
            | {name: snapshot.manifest.get(name, "") for name in ("made_by", "created_at")}
        )
    return facts


def show_list(home: Path) -> None:
    """The same as a table."""
    facts = sorted(list_facts(home), key=lambda one: str(one.get("created_at")))
    if not facts:
        typer.echo("There is no data set yet: `copydesk dataset import` or `copydesk dataset build`.")
        return
    table = Table("data set", "names", *SPLITS, "made by", "at (UTC)")
    for one in facts:
        if "damaged" not in one:
            counts = [f"{one['splits'][split]:,}" for split in SPLITS]
            table.add_row(one["folder"], ", ".join(one["names"]), *counts, one["made_by"], one["created_at"][:19])
    console().print(table)
    for one in facts:
        if "damaged" in one:
            console().print(plain(one["damaged"]), soft_wrap=True)


def show_facts(snapshot: Snapshot, rows: int) -> dict[str, Any]:
    """Everything about one data set."""
    found = describe(snapshot)
    by = {what: {value: dict(splits) for value, splits in values.items()} for what, values in found.by.items()}
    return {
        "hash": snapshot.hash,
        "folder": str(snapshot.folder),
        "examples": found.examples,
        "stories": found.stories,
        "by": by,
        "manifest": dict(snapshot.manifest),
        "rows": [_facts(example) for example in first_rows(snapshot, rows)],
    }


def show_snapshot(snapshot: Snapshot, rows: int) -> None:
    """The same as tables."""
    found = describe(snapshot)
    table = Table("", "", *SPLITS)
    table.add_row("examples", "", *(f"{found.examples[split]:,}" for split in SPLITS))
    table.add_row("stories", "", *(f"{found.stories[split]:,}" for split in SPLITS), end_section=True)
    for what, values in found.by.items():
        ordered = sorted(values, key=lambda value, of=values: (-of[value].total(), value))  # type: ignore[misc]
        for number, value in enumerate(ordered[:MOST]):
            figures = (f"{values[value][split]:,}" for split in SPLITS)
            table.add_row(what if not number else "", plain(value), *figures)
        if len(ordered) > MOST:
            table.add_row("", f"and {len(ordered) - MOST:,} more")
        table.add_section()
    console().print(table)
    if rows:
        _show_rows(first_rows(snapshot, rows))
    if snapshot.prompt_template:
        typer.echo(f"prompt template: {snapshot.prompt_template!r}")
    made_by, came_from = snapshot.manifest.get("made_by", ""), snapshot.manifest.get("came_from", "")
    words = " ".join(filter(None, (made_by, came_from and f"of {came_from}")))
    console().print(
        plain(f"{words or 'made'} at {snapshot.manifest.get('created_at')}; {snapshot.folder}"), soft_wrap=True
    )


def diff_facts(difference: Difference) -> dict[str, Any]:
    """What came, went and changed."""
    return {
        "came": [_facts(one) for one in difference.came],
        "went": [_facts(one) for one in difference.went],
        "changed": [
            {"article_id": str(one.after.article_id), "fields": list(one.fields)}
            | {"before": _facts(one.before), "after": _facts(one.after)}
            for one in difference.changed
        ],
        "same": difference.same,
    }


def show_diff(difference: Difference, rows: int) -> None:
    """The same in words and tables."""
    came, went, changed = difference.came, difference.went, difference.changed
    typer.echo(
        f"{len(came):,} came, {len(went):,} went, {len(changed):,} changed, {difference.same:,} stayed as they were."
    )
    for what, examples in (("came", came), ("went", went)):
        if examples and rows:
            typer.echo(f"\n{what}:")
            _show_rows(examples[:rows])
    if changed and rows:
        table = Table("split", "what changed", "before", "after")
        for one in changed[:rows]:
            shown = [name for name in one.fields if name != "text"]
            before, after = (
                "\n".join(_short(getattr(side, name)) for name in shown) for side in (one.before, one.after)
            )
            table.add_row(one.after.split, "\n".join(one.fields), plain(before, keep="\n"), plain(after, keep="\n"))
        typer.echo("\nchanged:")
        console().print(table)


def prompter(snapshot: Snapshot, version: str) -> Callable[[Example], str]:
    """What the user says in a chat: by the prompt of this version, or the data set's own template, or else v3."""
    if version and version not in prompts.PROMPTS:
        raise Invalid(f"there is no prompt version {version!r}; there are {', '.join(prompts.PROMPTS)}")
    if not version and snapshot.prompt_template:
        return lambda example: render(snapshot.prompt_template, example)
    return lambda example: prompts.render(version or "v3", example.text)


def _facts(example: Example) -> dict[str, Any]:
    return {
        "example_id": example.example_id,
        "article_id": str(example.article_id),
        "split": example.split,
        "origin": str(example.origin),
        "source": example.source,
        "title": example.title,
        "error_tags": list(example.error_tags),
        "curator": example.curator,
    }


def _show_rows(examples: Iterable[Example]) -> None:
    table = Table("split", "origin", "source", "title")
    for example in examples:
        who = str(example.origin) + (f" by {example.curator}" if example.curator else "")
        table.add_row(example.split, plain(who), plain(_short(example.source)), plain(example.title))
    console().print(table)


def _show_left_out(counts: Mapping[str, int]) -> None:
    for why, number in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        console().print(plain(f"left out {number:,}: {why}"), soft_wrap=True)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in sorted(counts.items(), key=lambda one: -one[1]))


def _short(value: object) -> str:
    words = ", ".join(value) if isinstance(value, tuple) else str(value)
    return words if len(words) <= _SHORT else words[: _SHORT - 1] + "…"
