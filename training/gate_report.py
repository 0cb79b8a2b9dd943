"""The gate's report for people: lines for a terminal, and one self-contained page in the run's folder."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from schemas.training import GateReport, Pair

TEXT_FILE = "gate.txt"
PAGE_FILE = "gate.html"
PAIRS_SHOWN = 12
"""Of the stories that were lost, and of those that were won."""


def lines(version: str, champion: str | None, gate: GateReport) -> list[str]:
    """The verdict, which conditions decided, then all others."""
    against = f"against {champion}" if champion else "as the first model, by absolute thresholds"
    where = f"{against}, on {gate.after.n} held-out stories" if gate.after.n else "before it could title a story"
    head = f"{version} {'passed' if gate.passed else 'was refused'}, {where}"
    marked = [f"  {'met    ' if one.met else 'REFUSES'}  {one.name}: {one.words}" for one in gate.conditions]
    lost, won = lost_and_won(gate)
    examples = [
        f"  {what:7}  {pair.before!r} became {pair.after!r} ({', '.join(tags)})"
        for what, pairs in (("lost", lost[:3]), ("won", won[:3]))
        for pair in pairs
        if (tags := pair.tags_after if what == "lost" else pair.tags_before)
    ]
    return [head, *marked, *examples]


def lost_and_won(gate: GateReport) -> tuple[list[Pair], list[Pair]]:
    """Stories whose title kept all house rules only before, and only after."""
    lost = [pair for pair in gate.pairs if pair.tags_after and not pair.tags_before]
    won = [pair for pair in gate.pairs if pair.tags_before and not pair.tags_after]
    return lost, won


def page(version: str, champion: str | None, gate: GateReport) -> str:
    """The report as HTML with nothing outside the file."""
    environment = Environment(loader=PackageLoader("training"), autoescape=select_autoescape())
    lost, won = lost_and_won(gate)
    template = environment.get_template("gate.html")
    return template.render(
        version=version, champion=champion, gate=gate, lost=lost[:PAIRS_SHOWN], won=won[:PAIRS_SHOWN]
    )


def write_report(folder: Path, version: str, champion: str | None, gate: GateReport) -> None:
    """Both forms into the folder."""
    (folder / TEXT_FILE).write_text("\n".join(lines(version, champion, gate)) + "\n", encoding="utf-8")
    (folder / PAGE_FILE).write_text(page(version, champion, gate), encoding="utf-8")
