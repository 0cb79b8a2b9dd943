"""RSS, Atom and JSON Feed documents to entries. Pure: bytes in, values out."""

from __future__ import annotations

import calendar
import html
import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import urljoin, urlsplit

import feedparser
from pydantic import BaseModel, Field, ValidationError

from schemas.errors import Invalid

_TAG = re.compile(r"<[^>]{1,500}>")
_CHARSET = re.compile(r"charset=[\"']?([\w.:-]+)", re.I)


@dataclass(frozen=True)
class Entry:
    """One item of a feed. `key` tells it from the others for good; `stamp` changes when the publisher touches it."""

    key: str
    url: str
    headline: str
    published_at: datetime | None
    stamp: str


@dataclass(frozen=True)
class Feed:
    """A parsed feed. `ttl_s` is how long the publisher asks us to wait; `fault` says what was wrong but survivable."""

    title: str
    language: str
    entries: tuple[Entry, ...]
    ttl_s: float
    fault: str


@dataclass(frozen=True)
class _Raw:
    guid: str
    url: str
    headline: str
    published_at: datetime | None
    touched: str


class _JsonItem(BaseModel):
    id: str | int | float = ""
    url: str = ""
    external_url: str = ""
    title: str = ""
    content_text: str = ""
    content_html: str = ""
    summary: str = ""
    date_published: str = ""
    date_modified: str = ""


class _JsonFeed(BaseModel):
    version: str = Field(pattern=r"^https?://(www\.)?jsonfeed\.org/version/1")
    title: str = ""
    language: str = ""
    items: list[_JsonItem]


def parse_feed(body: bytes, *, url: str, content_type: str = "") -> Feed:
    """Read a feed whatever its kind. Raises `Invalid` when nothing usable is in it.

    An item without any address is left out; a broken feed with whole items in front gives those, and `fault`.
    """
    if not body.strip():
        raise Invalid("the feed is empty")
    if "json" in content_type or body.lstrip()[:1] == b"{":
        return _parse_json(body, url)
    return _parse_xml(body, url, content_type)


def _parse_json(body: bytes, url: str) -> Feed:
    try:
        feed = _JsonFeed.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"]) or "document"
        raise Invalid(f"not a JSON Feed: {place}: {fault['msg']}") from error
    raws = [
        _Raw(
            guid=str(item.id),
            url=item.url or item.external_url,
            headline=item.title,
            published_at=_iso_time(item.date_published),
            touched=json.dumps([item.date_modified, item.summary, item.content_text, item.content_html]),
        )
        for item in feed.items
    ]
    return Feed(feed.title, feed.language, _entries(raws, url), ttl_s=0.0, fault="")


def _parse_xml(body: bytes, url: str, content_type: str) -> Feed:
    # feedparser decides about the encoding by the header's charset, then by the document: it needs the header
    charset = _CHARSET.search(content_type)
    kind = f"application/xml; charset={charset.group(1)}" if charset else "application/xml"
    try:
        parsed = feedparser.parse(body, response_headers={"content-type": kind, "content-location": url})
    except Exception as error:  # the parser raises what it likes; a feed that breaks it must not stop the others
        raise Invalid(f"not a feed: {type(error).__name__}: {error}") from error
    fault = " ".join(str(parsed.get("bozo_exception", "")).split())[:200] if parsed.get("bozo") else ""
    raws = [
        _Raw(
            guid=str(item.get("id", "")),
            url=str(item.get("link", "")),
            headline=str(item.get("title", "")),
            published_at=_struct_time(item.get("published_parsed") or dict.get(item, "updated_parsed")),
            # dict.get: feedparser's own falls back on `published`, with a warning
            touched=json.dumps([dict.get(item, "updated", ""), item.get("summary", "")]),
        )
        for item in parsed.entries
    ]
    entries = _entries(raws, url)
    if not entries and (fault or not parsed.get("version")):
        raise Invalid(f"not a feed: {fault or 'neither RSS nor Atom nor JSON Feed'}")
    channel = parsed.feed
    return Feed(
        str(channel.get("title", "")), str(channel.get("language", "")), entries, _ttl(channel.get("ttl")), fault
    )


def _entries(raws: list[_Raw], base: str) -> tuple[Entry, ...]:
    """Publishers reuse guids and leave them out: the guid alone counts only where it is unique within the feed."""
    guids = Counter(raw.guid for raw in raws if raw.guid)
    entries: dict[str, Entry] = {}
    for raw in raws:
        address = urljoin(base, raw.url.strip() or (raw.guid if raw.guid.startswith("http") else ""))
        if not raw.url.strip() and not raw.guid.startswith("http"):
            continue
        if urlsplit(address).scheme not in ("http", "https"):
            continue
        identity = raw.guid if guids[raw.guid] == 1 else f"{raw.guid}|{address}"
        headline = " ".join(html.unescape(_TAG.sub("", raw.headline)).split())
        entry = Entry(
            key=_digest(identity),
            url=address,
            headline=headline,
            published_at=raw.published_at,
            stamp=_digest(f"{address}\n{headline}\n{raw.touched}"),
        )
        entries.setdefault(entry.key, entry)
    return tuple(entries.values())


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def _ttl(minutes: object) -> float:
    try:
        return max(0.0, float(str(minutes)) * 60)
    except ValueError:
        return 0.0


def _struct_time(moment: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(calendar.timegm(moment), UTC)  # type: ignore[arg-type]  # feedparser has no types
    except (TypeError, ValueError, OverflowError):
        return None


def _iso_time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
