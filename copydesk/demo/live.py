"""The live view: a panel on a terminal, one line every few seconds elsewhere. Always on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from copydesk.demo.snapshot import Snapshot

PLAIN_EVERY_S = 5.0


class LiveView:
    """Shows snapshots until it is closed."""

    def __init__(self, desk: str) -> None:
        self._console = Console(file=sys.stderr)
        self._desk = desk
        self._began = time.monotonic()
        self._last_plain = -PLAIN_EVERY_S
        self._live = Live(console=self._console, refresh_per_second=4, transient=False) if self._tty else None

    @property
    def _tty(self) -> bool:
        return self._console.is_terminal

    def __enter__(self) -> LiveView:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def pause(self) -> None:
        """Leave the last panel standing and go on below it with the next `show`."""
        if self._live:
            self._live.stop()
            self._live = Live(console=self._console, refresh_per_second=4)

    def show(self, phase: str, snapshot: Snapshot) -> None:
        """Replace what stands there by this moment."""
        elapsed = time.monotonic() - self._began
        if self._live:
            self._live.start()  # does nothing when it runs already
            self._live.update(panel(phase, snapshot, elapsed, self._desk))
        elif elapsed - self._last_plain >= PLAIN_EVERY_S:
            self._last_plain = elapsed
            print(line(phase, snapshot, elapsed), file=sys.stderr, flush=True)


def line(phase: str, snapshot: Snapshot, elapsed: float) -> str:
    """The moment in one line."""
    return (
        f"{elapsed:5.0f} s  articles {snapshot.articles:4d}  titles {snapshot.titles:4d}"
        f"  published {snapshot.published:4d}  in review {snapshot.in_review:3d}"
        f"  corrections {snapshot.corrections:3d}  champion {snapshot.champion or '-'}  | {phase}"
    )


def panel(phase: str, snapshot: Snapshot, elapsed: float, desk: str) -> Panel:
    """The moment as a panel for a terminal at least 80 columns wide."""
    counts = Table.grid(padding=(0, 3))
    names = ("articles", "titles", "published", "in review", "corrections", "champion")
    values = (
        snapshot.articles,
        snapshot.titles,
        snapshot.published,
        snapshot.in_review,
        snapshot.corrections,
        snapshot.champion or "-",
    )
    counts.add_row(*(Text(name, style="dim") for name in names))
    counts.add_row(*(Text(str(value), style="bold") for value in values))
    parts: list[Table | Text] = [counts, Text()]
    if snapshot.by_version:
        parts += [_versions(snapshot), Text()]
    parts += [_latest(snapshot), Text(), Text(phase, style="bold cyan")]
    parts.append(Text(f"desk {desk}  ·  press and curator are simulated, everything between is real", style="dim"))
    return Panel(Group(*parts), title=f"Copydesk · {elapsed:.0f} s", border_style="cyan", box=box.ROUNDED)


def _versions(snapshot: Snapshot) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for name in ("model version", "titles judged", "sent to review", "mean precision"):
        table.add_column(name, justify="left" if name == "model version" else "right")
    for tally in snapshot.by_version:
        share = f"{tally.flagged} ({tally.flagged / tally.titles:.0%})" if tally.titles else "-"
        table.add_row(tally.model_version, str(tally.titles), share, f"{tally.precision_mean:.3f}")
    return table


def _latest(snapshot: Snapshot) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False, expand=True)
    table.add_column("latest titles", ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column("by", no_wrap=True)
    table.add_column("decision", ratio=2, no_wrap=True, overflow="ellipsis")
    for title in snapshot.latest:
        flagged = title.decision == "review"
        why = "review: " + "; ".join(title.reasons) if flagged else "published"
        table.add_row(
            Text(title.text or "(empty)"), title.model_version, Text(why, style="yellow" if flagged else "green")
        )
    return table
