"""A file of articles as a press: one site per source, every article in its feed from the start."""

from __future__ import annotations

import gzip
import zlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from infra.newsroom.sites import FeedKind, Item, Site, slugify
from schemas.errors import Invalid

_KINDS = ((FeedKind.rss, "feed.xml"), (FeedKind.atom, "atom.xml"), (FeedKind.json, "feed.json"))
_TEMPLATES = ("harbor.html", "loom.html", "lantern.html", "northwire.html")


class Line(BaseModel):
    """One line of the file; further fields are ignored."""

    id: str
    url: str
    source: str
    title: str
    text: str


class ArchivedPress:
    """The articles of a file. Nothing appears later and nothing changes, so `now` does not matter."""

    simulated = False

    def __init__(self, lines: list[Line], opened_at: datetime) -> None:
        opened_at = opened_at.replace(microsecond=0)
        by_source: defaultdict[str, list[Line]] = defaultdict(list)
        for line in lines:
            by_source[line.source].append(line)
        self.sites: tuple[Site, ...] = tuple(_site(source, number) for number, source in enumerate(sorted(by_source)))
        self._count = len(lines)
        self._items = {
            site.slug: {item.slug: item for item in (_item(line, opened_at) for line in by_source[source])}
            for site, source in zip(self.sites, sorted(by_source), strict=True)
        }

    def items(self, site: Site, now: datetime) -> list[Item]:
        return list(self._items[site.slug].values())

    def find(self, site: Site, slug: str, now: datetime) -> Item | None:
        return self._items[site.slug].get(slug)

    def count(self, now: datetime) -> int:
        return self._count

    def complete(self, now: datetime) -> bool:
        return True


def read_archive(path: Path, limit: int | None = None) -> list[Line]:
    """The first `limit` articles of a JSONL file, packed with gzip or not; empty lines do not count.

    Raises `Invalid` with the line's number for the first line that is no article: a file that somebody names is wanted
    whole, and a line left out in silence would be an article lost.
    """
    lines: list[Line] = []
    ids: dict[str, int] = {}
    for number, raw in _numbered(path):
        if limit is not None and len(lines) >= limit:
            break
        try:
            line = Line.model_validate_json(raw)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in fault["loc"])
            raise Invalid(f"{path}, line {number}: {place + ': ' if place else ''}{fault['msg']}") from error
        if line.id in ids:
            raise Invalid(f"{path}, line {number}: id {line.id!r} is already on line {ids[line.id]}")
        ids[line.id] = number
        lines.append(line)
    if not lines:
        raise Invalid(f"{path}: no articles in it")
    return lines


def _numbered(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with _open(path) as file:
            for number, raw in enumerate(file, start=1):
                if raw.strip():
                    yield number, raw
    except (OSError, EOFError, zlib.error) as error:
        raise Invalid(f"{path}: cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{path}: not UTF-8: {error}") from error


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _site(source: str, number: int) -> Site:
    kind, feed_name = _KINDS[number % len(_KINDS)]
    # the number keeps "a.b" and "a-b" apart, which have one slug
    return Site(f"{slugify(source)}-{number}", source, kind, feed_name, _TEMPLATES[number % len(_TEMPLATES)])


def _item(line: Line, opened_at: datetime) -> Item:
    paragraphs = tuple(part.strip() for part in line.text.split("\n") if part.strip())
    return Item(quote(line.id, safe=""), line.title, paragraphs, opened_at, opened_at, first_published=line.url)
