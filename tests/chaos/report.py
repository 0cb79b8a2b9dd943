"""The table at the end, for people who did not see the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from schemas.topics import ARTICLES, PUBLISHED, REVIEW, TITLES
from tests.chaos.faults import SHARES, Struck
from tests.chaos.feeder import GROUPS
from tests.chaos.outcome import Evidence, problems
from tests.chaos.processes import Exit


def show(
    seed: int, seconds: float, struck: Sequence[Struck], exits: Sequence[tuple[Exit, str]], found: Evidence
) -> None:
    """Print faults, exits, the count of everything, and which promises were broken."""
    console = Console(width=110, highlight=False)
    faults = Counter(each.fault for each in struck)
    table = Table(title=f"chaos, seed {seed}: {sum(faults.values())} faults", title_justify="left")
    table.add_column("fault")
    table.add_column("how often", justify="right")
    for name in SHARES:
        table.add_row(name, str(faults[name]))
    console.print(table)

    table = Table(title="processes that ended", title_justify="left")
    for column in ("process", "status", "because of"):
        table.add_column(column)
    table.add_column("how often", justify="right")
    ends = Counter((end.kind, end.status, why) for end, why in exits)
    for (name, status, why), often in sorted(ends.items()):
        table.add_row(name, str(status), why or "UNEXPLAINED", str(often))
    console.print(table)

    table = Table(title="the count", title_justify="left")
    table.add_column("what")
    table.add_column("how many", justify="right")
    table.add_column("meaning")
    for row in count(seconds, found):
        table.add_row(*row)
    console.print(table)
    for problem in problems(found) or ["Every promise was kept."]:
        console.print(problem, soft_wrap=True)


def count(seconds: float, found: Evidence) -> list[tuple[str, str, str]]:
    """What the table of the count says, row by row."""
    came = len(found.sent) + len(found.broken)
    unreadable = {letter.key for letter in found.letters if not letter.id}
    rows = [
        ("in", f"{came:,}", f"articles acknowledged by the broker, {len(found.broken):,} of them undecodable"),
        ("out: published", f"{len(found.ids(PUBLISHED.name)):,}", "different titles on the topic"),
        ("out: in review", f"{len(found.ids(REVIEW.name)):,}", "different titles on the topic"),
        ("out: dead letters", f"{len(unreadable) + len(found.dead):,}", f"{len(unreadable):,} of them undecodable"),
        ("lost", f"{len(found.lost):,}", "in, but nowhere out"),
    ]
    for topic in (ARTICLES, TITLES, PUBLISHED, REVIEW):
        rows.append((f"repeats on {topic.name}", f"{found.repeats(topic.name):,}", "the same id again: harmless"))
    once = len({(letter.group, letter.key, letter.id) for letter in found.letters})
    rows.append(("repeats among dead letters", f"{len(found.letters) - once:,}", "the same letter again: harmless"))
    rows.append(("repeats in the database", f"{found.repeated_rows:,}", "rows beyond one per id"))
    for group in GROUPS:
        mine = [position for position in found.positions if position.group == group]
        done, end = sum(position.committed for position in mine), sum(position.end for position in mine)
        rows.append((f"committed by {group}", f"{done:,}", f"of {end:,}"))
    rows.append(("still running", str(len(found.still_running)), "processes left behind"))
    rows.append(("articles per second", f"{came / seconds:.1f}", f"{seconds:.0f} s from the first to the last commit"))
    return rows
