"""Feeds as they come: three formats, reused guids, broken documents."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Invalid
from workers.scraper.feed import Feed, parse_feed

URL = "https://news.example/feed.xml"


def rss(items: str, channel: str = "") -> bytes:
    return (
        f"<?xml version='1.0'?><rss version='2.0'><channel><title>News</title>{channel}{items}</channel></rss>".encode()
    )


def parse(body: bytes, content_type: str = "") -> Feed:
    return parse_feed(body, url=URL, content_type=content_type)


def test_rss_gives_title_address_and_time() -> None:
    feed = parse(
        rss(
            "<item><title>A &amp;amp; B &lt;i&gt;win&lt;/i&gt;</title><link>/a?x=1</link><guid>1</guid>"
            "<pubDate>Sun, 22 Nov 2026 10:00:00 GMT</pubDate></item>",
            "<ttl>30</ttl><language>en-GB</language>",
        )
    )
    (entry,) = feed.entries
    assert (feed.title, feed.ttl_s, feed.fault) == ("News", 1800.0, "")
    assert entry.url == "https://news.example/a?x=1"
    assert entry.headline == "A & B win"
    assert entry.published_at == datetime(2026, 11, 22, 10, tzinfo=UTC)


def test_atom_takes_the_alternate_link() -> None:
    body = b"""<feed xmlns='http://www.w3.org/2005/Atom'><title>Atom</title><entry><title>T</title><id>tag:1</id>
    <link rel='alternate' href='https://news.example/t'/><updated>2026-11-22T10:00:00Z</updated></entry></feed>"""
    assert [entry.url for entry in parse(body).entries] == ["https://news.example/t"]


def test_json_feed_is_recognised_by_its_content() -> None:
    body = b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": 7, "url": "/x", "title": "X"}]}'
    assert [entry.url for entry in parse(body).entries] == ["https://news.example/x"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<html><body>502 Bad Gateway</body></html>", "not a feed"),
        (b"<rss version='2.0'><chanel><title>x</title><<item>", "not a feed"),
        (b'{"version": "1", "items": []}', "not a JSON Feed: version"),
        (b'{"items": [', "not a JSON Feed"),
        (b"[" * 100_000, "not a feed"),
        (b"\x00\xff\xfe" * 50, "not a feed"),
    ],
)
def test_what_is_no_feed_is_invalid_and_says_why(body: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        parse(body)


def test_a_feed_cut_off_in_the_middle_gives_its_whole_items_and_a_fault() -> None:
    whole = rss("<item><title>A</title><link>/a</link></item><item><title>B</title><link>/b</link></item>")
    feed = parse(whole[: whole.index(b"<title>B")])
    assert "https://news.example/a" in [entry.url for entry in feed.entries]
    assert feed.fault


def test_an_entity_bomb_does_not_explode() -> None:
    bomb = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 12))
    body = f"<!DOCTYPE rss [<!ENTITY l0 'lol'>{bomb}]><rss><channel><title>&l11;</title></channel></rss>".encode()
    with pytest.raises(Invalid):
        parse(body)


def test_a_guid_used_twice_does_not_hide_the_second_item() -> None:
    feed = parse(rss("".join(f"<item><guid>same</guid><link>/{n}</link><title>{n}</title></item>" for n in range(3))))
    assert len(feed.entries) == 3


def test_an_item_without_guid_is_known_by_its_address() -> None:
    first, second = (parse(rss(f"<item><link>/a</link><title>{title}</title></item>")) for title in ("one", "two"))
    assert first.entries[0].key == second.entries[0].key
    assert first.entries[0].stamp != second.entries[0].stamp


def test_a_corrected_summary_changes_the_stamp_and_not_the_key() -> None:
    first, second = (
        parse(rss(f"<item><guid>1</guid><link>/a</link><title>T</title><description>{text}</description></item>"))
        for text in ("5 percent", "6 percent")
    )
    assert first.entries[0].key == second.entries[0].key
    assert first.entries[0].stamp != second.entries[0].stamp


@pytest.mark.parametrize("link", ["javascript:alert(1)", "file:///etc/passwd", "ftp://x.example/a", ""])
def test_only_web_addresses_become_items(link: str) -> None:
    assert (
        parse(rss(f"<item><title>T</title><link>{link}</link><guid isPermaLink='false'>1</guid></item>")).entries == ()
    )


@given(st.binary(max_size=400))
def test_any_bytes_are_a_feed_or_invalid(body: bytes) -> None:
    with suppress(Invalid):
        parse(body)
