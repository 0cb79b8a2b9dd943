"""The demo's report for a person: one self-contained page in the data folder."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from copydesk.demo.outcome import Outcome


def address(home: Path) -> str:
    """Where a browser finds the report."""
    return _file(home).resolve().as_uri()


def write_report(outcome: Outcome, home: Path) -> None:
    """Write the report into the data folder."""
    environment = Environment(loader=PackageLoader("copydesk.demo"), autoescape=select_autoescape())
    page = environment.get_template("report.html").render(outcome=outcome)
    _file(home).write_text(page, encoding="utf-8")


def _file(home: Path) -> Path:
    return home / "report.html"
