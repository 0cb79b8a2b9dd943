"""`copydesk feeds`: which feeds are read, and how they do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import httpx
import typer
from rich.table import Table
from sqlalchemy import Engine
from sqlmodel import col, select

from copydesk.console import console
from infra.database import DatabaseUnusable, make_engine, migrate, transaction
from infra.settings import get_settings
from schemas.errors import Invalid
from schemas.records import FeedItemRow, FeedRow

app = typer.Typer(help="The feeds that are read: add, list, check, import and export them.", no_args_is_help=True)

OPML_CAP = 5 * 1024 * 1024


@dataclass(frozen=True)
class Subscribed:
    """A feed in a list of feeds."""

    url: str
    name: str = ""


@dataclass(frozen=True)
class Problem:
    """An item that brought no article."""

    url: str
    headline: str
    outcome: str
    attempts: int
    reason: str


@dataclass(frozen=True)
class FeedReport:
    """One feed's health, as `list` and `check` print it."""

    url: str
    name: str
    active: bool
    failures: int
    last_error: str
    last_success_at: str
    next_poll_at: str
    items: dict[str, int]
    problems: tuple[Problem, ...]

    @property
    def healthy(self) -> bool:
        return self.active and not self.last_error


def subscribe(engine: Engine, feeds: Iterable[Subscribed]) -> int:
    """Add feeds that are not there yet; returns how many those were. Raises `Invalid` for an address that is none."""
    added = 0
    with transaction(engine) as session:
        for feed in feeds:
            parts = urlsplit(feed.url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise Invalid(f"not the address of a feed: {feed.url!r} (http://… or https://… is)")
            row = session.get(FeedRow, feed.url)
            if row is None:
                session.add(FeedRow(url=feed.url, name=feed.name))
                session.flush()
                added += 1
            elif not row.active:  # given up because it was gone: somebody thinks that it is back
                row.active, row.next_poll_at = True, None
    return added


def report(engine: Engine) -> list[FeedReport]:
    """Every feed with what became of its items; the problems are those that were tried in vain."""
    with transaction(engine) as session:
        feeds = list(session.exec(select(FeedRow).order_by(col(FeedRow.name), col(FeedRow.url))))
        outcomes: dict[str, Counter[str]] = {feed.url: Counter() for feed in feeds}
        for feed_url, outcome in session.exec(select(FeedItemRow.feed_url, FeedItemRow.outcome)):
            outcomes.setdefault(feed_url, Counter())[outcome] += 1
        troubled = session.exec(select(FeedItemRow).where(FeedItemRow.reason != "")).all()
        problems = [
            (row.feed_url, Problem(row.url, row.headline, row.outcome, row.attempts, row.reason)) for row in troubled
        ]
        return [
            FeedReport(
                url=feed.url,
                name=feed.name,
                active=feed.active,
                failures=feed.failures,
                last_error=feed.last_error,
                last_success_at=_moment(feed.last_success_at),
                next_poll_at=_moment(feed.next_poll_at),
                items=dict(sorted(outcomes[feed.url].items())),
                problems=tuple(problem for feed_url, problem in problems if feed_url == feed.url),
            )
            for feed in feeds
        ]


def read_opml(text: bytes) -> list[Subscribed]:
    """The feeds of an OPML document, nested folders too. Raises `Invalid` for anything else."""
    if b"<!DOCTYPE" in text[:1000] or b"<!ENTITY" in text:
        raise Invalid("not OPML: document type declarations are refused")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise Invalid(f"not OPML: {error}") from error
    if root.tag != "opml":
        raise Invalid(f"not OPML: the document is <{root.tag}>")
    outlines = [outline for outline in root.iter("outline") if outline.get("xmlUrl")]
    return [Subscribed(o.get("xmlUrl", ""), o.get("title") or o.get("text") or "") for o in outlines]


def write_opml(feeds: Iterable[Subscribed]) -> str:
    """An OPML document that other feed readers import."""
    lines = [
        f'  <outline type="rss" text={quoteattr(feed.name or feed.url)} xmlUrl={quoteattr(feed.url)}/>'
        for feed in feeds
    ]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0">\n<head><title>Feeds of Copydesk</title></head>'
    return "\n".join([head, "<body>", *lines, "</body>", "</opml>"]) + "\n"


@app.command()
def add(urls: list[str] = typer.Argument(help="Addresses of feeds (RSS, Atom or JSON Feed).")) -> None:
    """Subscribe to feeds; the scraper picks them up at once."""
    _added(_subscribe([Subscribed(url) for url in urls]), len(urls))


@app.command(name="list")
def list_(as_json: bool = typer.Option(False, "--json", help="As JSON.")) -> None:
    """Show all feeds and what became of their items."""
    reports = report(_engine())
    if as_json:
        typer.echo(json.dumps([asdict(feed) for feed in reports], indent=2))
        return
    table = Table("feed", "address", "items", "in vain", "last success", "state")
    for feed in reports:
        state = "ok" if feed.healthy else feed.last_error or "stopped"
        items = ", ".join(f"{count} {outcome}" for outcome, count in feed.items.items())
        table.add_row(feed.name, feed.url, items, str(len(feed.problems)), feed.last_success_at, state)
    console().print(table)


@app.command()
def check(as_json: bool = typer.Option(False, "--json", help="As JSON.")) -> None:
    """Show only what is wrong: feeds that fail, items that brought no article. Exit status 1 if a feed fails."""
    reports = [feed for feed in report(_engine()) if not feed.healthy or feed.problems]
    failing = [feed for feed in reports if not feed.healthy]
    if as_json:
        typer.echo(json.dumps([asdict(feed) for feed in reports], indent=2))
        raise typer.Exit(1 if failing else 0)
    table = Table("feed", "what", "tries", "why")
    for feed in reports:
        if not feed.healthy:
            table.add_row(feed.name or feed.url, "the feed itself", str(feed.failures), feed.last_error or "stopped")
        for problem in feed.problems:
            table.add_row(
                feed.name or feed.url, problem.url, str(problem.attempts), f"{problem.reason} ({problem.outcome})"
            )
    console().print(table if reports else "All feeds are well.")
    raise typer.Exit(1 if failing else 0)


@app.command(name="import")
def import_(source: str = typer.Argument(help="OPML file, or its address.")) -> None:
    """Subscribe to all feeds of an OPML document."""
    try:
        feeds = read_opml(_load(source))
    except Invalid as error:
        raise _failure(f"{source}: {error}") from error
    _added(_subscribe(feeds), len(feeds))


@app.command()
def export(file: Path | None = typer.Argument(None, help="Where to write; default: the terminal.")) -> None:
    """Write all feeds as OPML."""
    text = write_opml(Subscribed(feed.url, feed.name) for feed in report(_engine()))
    if file is None:
        typer.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _failure(f"cannot write {file}: {error.strerror}") from error


def _load(source: str) -> bytes:
    try:
        if urlsplit(source).scheme in ("http", "https"):
            answer = httpx.get(
                source, headers={"user-agent": get_settings().user_agent}, follow_redirects=True, timeout=20
            )
            answer.raise_for_status()
            text = answer.content
        else:
            text = Path(source).read_bytes()
    except (httpx.HTTPError, OSError) as error:
        raise Invalid(f"cannot be read: {error}") from error
    if len(text) > OPML_CAP:
        raise Invalid(f"larger than {OPML_CAP // 1024 // 1024} MB")
    return text


def _subscribe(feeds: list[Subscribed]) -> int:
    try:
        return subscribe(_engine(), feeds)
    except Invalid as error:
        raise _failure(str(error)) from error


def _engine() -> Engine:
    try:
        engine = make_engine(get_settings())
        migrate(engine)
    except DatabaseUnusable as error:
        raise _failure(str(error)) from error
    return engine


def _added(added: int, given: int) -> None:
    known = f", {given - added} known already" if given > added else ""
    typer.echo(f"{added} added{known}")


def _failure(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)


def _moment(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else ""
