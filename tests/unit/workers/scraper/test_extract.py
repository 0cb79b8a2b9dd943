"""Pages of all sorts."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Invalid
from schemas.topics import MAX_TEXT_BYTES
from workers.scraper.extract import Page, cut, extract

PARAGRAPH = "Harbor Labs said on Monday that its speech model now runs on phones, after 18 months of work on its size."
SECOND = f"Later: {PARAGRAPH}"


def page(body: str, head: str = "", lang: str = "en-GB") -> bytes:
    return f"<!doctype html><html lang='{lang}'><head><title>T</title>{head}</head><body>{body}</body></html>".encode()


def article(*paragraphs: str) -> str:
    return "<article><h1>Headline</h1>" + "".join(f"<p>{text}</p>" for text in paragraphs) + "</article>"


def read(body: bytes) -> Page:
    return extract(body, url="https://h.example/a")


def test_the_text_comes_out_whole_and_nothing_around_it() -> None:
    around = (
        "<div class='cookie-banner'><p>We and our 400 partners value your privacy and store cookies here.</p></div>"
        "<nav><a href='/'>Home</a></nav>"
        + article(PARAGRAPH, SECOND)
        + "<div id='comments'><p>I have always said so, and nobody ever listened to me about it.</p></div>"
        "<footer><p>All rights reserved by the publishers of this fine page and their heirs.</p></footer>"
    )
    assert read(page(around)).text == f"{PARAGRAPH}\n{SECOND}"


def test_a_page_wrapped_in_an_oddly_named_box_keeps_its_article() -> None:
    assert PARAGRAPH in read(page(f"<div class='sidebar gate'>{article(PARAGRAPH, SECOND)}</div>")).text


def test_language_and_address_are_as_declared() -> None:
    found = read(page(article(PARAGRAPH, SECOND), "<link rel='canonical' href='/real'>", lang="de-AT"))
    assert (found.language, found.canonical) == ("de", "/real")


def test_opt_outs_in_the_page_are_found() -> None:
    head = "<meta name='TDM-Reservation' content='1'><meta name='robots' content='index, noai'>"
    assert read(page(article(PARAGRAPH, SECOND), head)).opt_outs == {"tdm-reservation: 1", "robots: noai"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"\x00\x01\x02",
        b"{}",
        page(""),
        page("<p>Too short.</p>"),
        page("<div class='cookie-consent'><p>" + "We value your privacy. " * 20 + "</p></div>"),
        page("<script>" + "var a = 1; " * 50 + "</script>"),
    ],
)
def test_a_page_without_an_article_is_invalid(body: bytes) -> None:
    with pytest.raises(Invalid, match="page"):
        read(body)


def test_an_article_of_over_2_mb_is_cut_after_a_whole_paragraph() -> None:
    paragraphs = [f"Number {number}: " + f"{PARAGRAPH} " * 20 + "End." for number in range(1_100)]
    assert sum(map(len, paragraphs)) > MAX_TEXT_BYTES
    text = read(page(article(*paragraphs))).text
    assert 0.9 * MAX_TEXT_BYTES < len(text.encode()) <= MAX_TEXT_BYTES
    assert text.split("\n")[-1] in paragraphs


def test_a_page_with_2_mb_of_scripts_gives_its_article() -> None:
    heavy = page(f"<script>{'x = {};' * 300_000}</script>{article(PARAGRAPH, SECOND)}")
    assert read(heavy).text.startswith("Harbor Labs")


def test_the_headers_charset_outranks_the_page() -> None:
    body = page(article("Zürich: " + PARAGRAPH, SECOND)).decode().encode("latin-1")
    assert "Zürich" in extract(body, url="https://h.example/a", charset="iso-8859-1").text
    assert "rich" in extract(body, url="https://h.example/a", charset="no-such-charset").text


@given(st.text(max_size=200), st.integers(1, 100))
def test_cutting_keeps_within_the_limit_and_within_the_text(text: str, limit: int) -> None:
    piece = cut(text, limit)
    assert len(piece.encode()) <= limit
    assert text.encode("utf-8", errors="replace").decode().startswith(piece)


@settings(max_examples=60)
@given(st.binary(max_size=600))
def test_any_bytes_are_a_page_or_invalid(body: bytes) -> None:
    with suppress(Invalid):
        read(b"<html><body><article><p>" + body)
