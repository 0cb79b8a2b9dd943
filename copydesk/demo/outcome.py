"""What the demo ends with: one value, printed as a table for a person or as JSON for a program."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Pair:
    """One held-out story, titled by the champion of the start and by the one of the end."""

    before: str
    after: str
    tags_before: tuple[str, ...]
    tags_after: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """How one worker kept up: events per second while it worked, and how long an article waited for it."""

    name: str
    per_second: float
    wait_seconds_median: float


@dataclass(frozen=True)
class Outcome:
    """The demo's result. `holdout` holds `before` and `after` as `editorial.metrics` counts them, or is None."""

    articles: int
    titles: int
    published: int
    in_review: int
    corrections: int
    dead_letters: int
    lost: int
    duplicates: int
    failed_requests: int
    champion_before: str
    champion_after: str
    holdout: dict[str, dict[str, Any]] | None
    gate: str
    pairs: tuple[Pair, ...]
    stages: tuple[Stage, ...]
    articles_per_second: float
    slowest_stage: str
    restarts: dict[str, int]
    memory_peak_mb: int
    desk_ready_seconds: float
    seconds: float
    desk: str
    report: str

    def as_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def render(outcome: Outcome, console: Console) -> None:
    """Tell the story in tables."""
    parts: list[Table | Text] = []
    if outcome.holdout:
        parts += [_holdout(outcome), Text(), _pairs(outcome), Text()]
    elif outcome.gate:
        parts += [Text(outcome.gate), Text()]
    parts += [_counts(outcome), Text(), Text(f"desk    {outcome.desk}"), Text(f"report  {outcome.report}")]
    console.print(Panel(Group(*parts), title=f"Copydesk demo · {outcome.seconds:.0f} s", box=box.ROUNDED))


def _holdout(outcome: Outcome) -> Table:
    assert outcome.holdout is not None
    before, after = outcome.holdout["before"], outcome.holdout["after"]
    table = Table(
        title=f"The same {after['n']} held-out stories, never trained on", title_justify="left", box=box.SIMPLE_HEAD
    )
    table.add_column("")
    table.add_column(outcome.champion_before, justify="right")
    table.add_column(outcome.champion_after, justify="right")
    for label, key, form in (
        ("titles that keep every house rule", "house_rules_pass", "{:.0%}"),
        ("titles whose names and numbers are right", "entities_right", "{:.0%}"),
        ("BERTScore precision, mean", "precision_mean", "{:.3f}"),
        ("BERTScore precision, standard deviation", "precision_std", "{:.3f}"),
    ):
        table.add_row(label, form.format(before[key]), form.format(after[key]))
    for tag in sorted(set(before["by_tag"]) | set(after["by_tag"])):
        was, now = before["by_tag"].get(tag, 0), after["by_tag"].get(tag, 0)
        if was or now:
            table.add_row(Text(f"  titles with the error {tag}", style="dim"), f"{was:.0%}", f"{now:.0%}")
    return table


def _pairs(outcome: Outcome) -> Table:
    table = Table(title="Before and after", title_justify="left", box=box.SIMPLE_HEAD, show_lines=False)
    table.add_column(outcome.champion_before, ratio=1)
    table.add_column(outcome.champion_after, ratio=1)
    for pair in outcome.pairs:
        why = f"  ({', '.join(pair.tags_before)})" if pair.tags_before else ""
        table.add_row(Text(pair.before + why, style="yellow"), Text(pair.after, style="green"))
    return table


def _counts(outcome: Outcome) -> Table:
    table = Table.grid(padding=(0, 3))
    for names in (
        ("articles", "titles", "published", "in_review"),
        ("corrections", "dead_letters", "lost", "failed_requests"),
    ):
        table.add_row(*(Text(name.replace("_", " "), style="dim") for name in names))
        table.add_row(*(Text(str(getattr(outcome, name)), style="bold") for name in names))
    return table
