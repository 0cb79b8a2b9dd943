"""One article, one address, one hash."""

from __future__ import annotations

import pytest

from workers.scraper.identity import canonical_url, content_hash, page_address


@pytest.mark.parametrize(
    "variant",
    [
        "https://News.Example/a/b?id=3&utm_source=rss&utm_campaign=x",
        "https://news.example:443/a/b?id=3#comments",
        " https://news.example/a/b?fbclid=z&id=3 ",
        "HTTPS://news.example/a/b?id=3",
    ],
)
def test_links_to_one_page_have_one_address(variant: str) -> None:
    assert canonical_url(variant) == "https://news.example/a/b?id=3"


def test_another_port_path_or_parameter_is_another_page() -> None:
    addresses = ["http://h.example:81/a", "http://h.example/a", "http://h.example/A", "http://h.example/a?id=1"]
    assert len({canonical_url(address) for address in addresses}) == 4


def test_an_ipv6_address_keeps_its_brackets() -> None:
    assert canonical_url("http://[::1]:8080/a") == "http://[::1]:8080/a"


def test_a_page_may_name_its_own_address() -> None:
    assert page_address("https://www.h.example/a?print=1", "/a") == "https://www.h.example/a"
    assert page_address("https://h.example/a?print=1", "https://www.h.example/a") == "https://www.h.example/a"


@pytest.mark.parametrize("claim", ["https://victim.example/story", "javascript:alert(1)", "ftp://h.example/a"])
def test_a_page_may_not_claim_the_address_of_another_publisher(claim: str) -> None:
    assert page_address("https://h.example/a", claim) == "https://h.example/a"


def test_white_space_and_unicode_forms_are_not_a_revision() -> None:
    assert content_hash("Caf\u00e9", "one  two\nthree") == content_hash("Cafe\u0301", "one two three")


def test_another_figure_is_a_revision() -> None:
    assert content_hash("T", "rose by 5 percent") != content_hash("T", "rose by 6 percent")
