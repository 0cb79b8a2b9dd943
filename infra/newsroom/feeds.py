"""Feeds as publishers write them: RSS 2.0, Atom, JSON Feed, OPML, and one that is broken. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape, quoteattr

from infra.newsroom.sites import FeedKind, Item, Site

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
CONTENT_TYPES = {
    FeedKind.rss: "application/rss+xml; charset=utf-8",
    FeedKind.atom: "application/atom+xml; charset=utf-8",
    FeedKind.json: "application/feed+json",
    FeedKind.broken: "application/rss+xml; charset=utf-8",
}


def render_feed(site: Site, items: Sequence[Item], base: str) -> str:
    """The site's feed in its own format. `base` is the press' address without a slash at the end."""
    match site.kind:
        case FeedKind.rss:
            return _rss(site, items, base)
        case FeedKind.atom:
            return _atom(site, items, base)
        case FeedKind.json:
            return _json(site, items, base)
        case FeedKind.broken:
            return "<rss version='2.0'><chanel><title>Broken Bugle</titel><<item>&nope; <link>\x00 half a feed, then"


def render_opml(sites: Sequence[Site], base: str) -> str:
    """All feeds in the format in which feed readers exchange subscriptions."""
    outlines = "\n".join(
        f"  <outline type='rss' text={quoteattr(site.name)} xmlUrl={quoteattr(base + site.feed_path)}/>"
        for site in sites
    )
    return f"<opml version='2.0'>\n<head><title>Press</title></head>\n<body>\n{outlines}\n</body>\n</opml>\n"


def page_url(site: Site, item: Item, base: str) -> str:
    """Where the item's page is. The slug is quoted already."""
    return f"{base}/{site.slug}/{item.slug}"


def _xml(text: str) -> str:
    return escape(_NOT_XML.sub("", text))


def _rss(site: Site, items: Sequence[Item], base: str) -> str:
    parts = "\n".join(
        f"<item><title>{_xml(item.headline)}</title><link>{_xml(page_url(site, item, base))}?utm_source=rss</link>"
        f"<guid isPermaLink='false'>{_xml(site.slug)}:{_xml(item.slug)}</guid>"
        f"<pubDate>{_http_date(item.published_at)}</pubDate>"
        f"<atom:updated>{item.updated_at.isoformat()}</atom:updated>"
        f"<description>{_xml(item.teaser)}</description></item>"
        for item in items
    )
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n<rss version='2.0' xmlns:atom='http://www.w3.org/2005/Atom'><channel>"
        f"<title>{_xml(site.name)}</title><link>{base}/{site.slug}/</link><description>{_xml(site.motto)}</description>"
        f"<language>en</language>\n{parts}\n</channel></rss>\n"
    )


def _atom(site: Site, items: Sequence[Item], base: str) -> str:
    newest = max((item.updated_at for item in items), default=datetime.fromtimestamp(0, UTC))
    parts = "\n".join(
        f"<entry><title>{_xml(item.headline)}</title><id>{_xml(page_url(site, item, base))}</id>"
        f"<link rel='alternate' href={quoteattr(page_url(site, item, base))}/>"
        f"<published>{item.published_at.isoformat()}</published><updated>{item.updated_at.isoformat()}</updated>"
        f"<summary>{_xml(item.teaser)}</summary></entry>"
        for item in items
    )
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n<feed xmlns='http://www.w3.org/2005/Atom' xml:lang='en'>"
        f"<title>{_xml(site.name)}</title><id>{base}/{site.slug}/</id><updated>{newest.isoformat()}</updated>"
        f"<author><name>{_xml(site.name)}</name></author>\n{parts}\n</feed>\n"
    )


def _json(site: Site, items: Sequence[Item], base: str) -> str:
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": site.name,
        "language": "en",
        "items": [
            {
                "id": page_url(site, item, base),
                "url": page_url(site, item, base),
                "title": item.headline,
                "summary": item.teaser,
                "date_published": item.published_at.isoformat(),
                "date_modified": item.updated_at.isoformat(),
            }
            for item in items
        ],
    }
    return json.dumps(document, ensure_ascii=False)


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)
