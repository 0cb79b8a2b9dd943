"""The demo's report for a person: one self-contained page in the data folder."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from copydesk.demo.outcome import Outcome


def write_report(outcome: Outcome, home: Path) -> str:
    """Write `report.html`; returns its address."""
    environment = Environment(loader=PackageLoader("copydesk.demo"), autoescape=select_autoescape())
    page = environment.get_template("report.html").render(outcome=outcome)
    path = home / "report.html"
    path.write_text(page, encoding="utf-8")
    return path.resolve().as_uri()
