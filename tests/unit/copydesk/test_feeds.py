"""Subscriptions in and out."""

from __future__ import annotations

from pathlib import Path

import pytest

from copydesk.feeds import Subscribed, read_opml, report, subscribe, write_opml
from infra.database import make_engine, migrate
from infra.settings import Settings
from schemas.errors import Invalid


def test_what_is_exported_can_be_imported_again() -> None:
    feeds = [Subscribed("https://h.example/feed?a=1&b=2", 'The "Harbor" & <Times>'), Subscribed("http://x.example/")]
    assert read_opml(write_opml(feeds).encode()) == [feeds[0], Subscribed(feeds[1].url, feeds[1].url)]


def test_folders_are_walked_through() -> None:
    text = b"<opml><body><outline text='AI'><outline text='A' xmlUrl='https://a.example/'/></outline></body></opml>"
    assert read_opml(text) == [Subscribed("https://a.example/", "A")]


@pytest.mark.parametrize(
    "text", [b"", b"<html/>", b"<opml>", b"<!DOCTYPE opml [<!ENTITY a 'b'>]><opml/>", b"\xff\xfe\x00"]
)
def test_what_is_no_opml_is_invalid(text: bytes) -> None:
    with pytest.raises(Invalid, match="not OPML"):
        read_opml(text)


def test_subscribing_twice_is_subscribing_once(tmp_path: Path) -> None:
    engine = make_engine(Settings(home=tmp_path))
    migrate(engine)
    feed = Subscribed("https://a.example/feed", "A")
    assert subscribe(engine, [feed, feed]) == 1
    assert subscribe(engine, [feed]) == 0
    assert [(row.url, row.items, row.healthy) for row in report(engine)] == [("https://a.example/feed", {}, True)]
    engine.dispose()


@pytest.mark.parametrize("url", ["a.example/feed", "ftp://a.example/", "file:///etc/passwd", "https://", ""])
def test_only_web_addresses_are_subscribed(tmp_path: Path, url: str) -> None:
    engine = make_engine(Settings(home=tmp_path))
    migrate(engine)
    with pytest.raises(Invalid, match="not the address"):
        subscribe(engine, [Subscribed(url)])
    engine.dispose()
