"""The press as its readers see it: sites, and the items on them. Values only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class FeedKind(StrEnum):
    """The formats that news readers meet, and one that is none."""

    rss = "rss"
    atom = "atom"
    json = "json"
    broken = "broken"


class Page(StrEnum):
    """What waits behind an item's address."""

    article = "article"
    heavy = "heavy"
    """An article in 2 MB of inline state and scripts."""
    empty = "empty"
    """A page with everything but an article."""
    dead = "dead"
    """No page: 404."""


@dataclass(frozen=True)
class Site:
    """One site. `template` is the file its pages are made with; `reserved` ones may not be used to train models."""

    slug: str
    name: str
    kind: FeedKind
    feed_name: str
    template: str
    motto: str = ""
    reserved: bool = False

    @property
    def feed_path(self) -> str:
        return f"/{self.slug}/{self.feed_name}"


@dataclass(frozen=True)
class Item:
    """One item of a site as it stands at a moment; `updated_at` differs from `published_at` after a revision."""

    slug: str
    headline: str
    paragraphs: tuple[str, ...]
    published_at: datetime
    updated_at: datetime
    page: Page = Page.article
    first_published: str = ""
    """Where the text comes from, for articles that are not the press' own."""

    @property
    def teaser(self) -> str:
        """The first sentences, as feeds show them."""
        return re.sub(r"\s+\S*$", " …", self.paragraphs[0][:160]) if self.paragraphs else ""


class Press(Protocol):
    """Sites whose items depend on the time alone: `items` are newest first, `find` also knows items no feed lists."""

    simulated: bool
    sites: tuple[Site, ...]

    def items(self, site: Site, now: datetime) -> Sequence[Item]: ...

    def find(self, site: Site, slug: str, now: datetime) -> Item | None: ...

    def count(self, now: datetime) -> int:
        """Articles that are out; retold ones count, revisions and items without an article do not."""
        ...

    def complete(self, now: datetime) -> bool:
        """True when nothing will change any more."""
        ...


def slugify(text: str, limit: int = 60) -> str:
    """Lower-case words with hyphens: what publishers put into addresses."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:limit].strip("-") or "untitled"
