"""How often we ask, and what we may do with what we get."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Transient
from workers.scraper.politeness import (
    DAY_S,
    LONGEST_RETRY_S,
    Robots,
    backoff_s,
    max_age_s,
    next_poll,
    retry_after_s,
    robots_text,
    training_permission,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPEN = Robots("")


@given(st.floats(0, 1e9), st.integers(0, 1000), st.floats(0, 0.999))
def test_a_feed_is_never_asked_before_the_least_interval_nor_later_than_two_days(
    asked: float, failures: int, draw: float
) -> None:
    wait = next_poll(NOON, min_poll_s=3600, asked_s=asked, failures=failures, draw=draw) - NOON
    assert timedelta(hours=1) <= wait <= timedelta(days=2)


def test_the_publishers_wish_is_obeyed() -> None:
    assert next_poll(NOON, min_poll_s=60, asked_s=7200, draw=0) == NOON + timedelta(hours=2)


def test_every_failure_doubles_the_wait_up_to_a_limit() -> None:
    waits = [backoff_s(failures, first_s=60, draw=0.5) for failures in (1, 2, 3, 50)]
    assert waits == [60, 120, 240, LONGEST_RETRY_S]


def test_two_that_failed_together_do_not_come_back_together() -> None:
    assert backoff_s(3, first_s=60, draw=0.1) != backoff_s(3, first_s=60, draw=0.9)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("Sun, 22 Nov 2026 12:05:00 GMT", 300.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("999999999", DAY_S),
        ("soon", 0.0),
        ("", 0.0),
        ("-5", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float) -> None:
    assert retry_after_s(header, NOON) == seconds


def test_max_age_is_found_among_other_directives() -> None:
    assert max_age_s('public, max-age="600", s-maxage=5') == 600
    assert max_age_s("no-cache, s-maxage=9") == 0


def test_robots_rules_hold_for_our_name() -> None:
    robots = Robots("User-agent: Copydesk\nDisallow: /private/\n\nUser-agent: *\nDisallow: /\n")
    assert robots.may_fetch("https://h.example/a", "Copydesk/0.1 (+https://c.example)")
    assert not robots.may_fetch("https://h.example/private/a", "Copydesk/0.1 (+https://c.example)")


def test_a_missing_robots_file_allows_and_a_broken_server_closes() -> None:
    assert robots_text(404, b"<html>") == ""
    for status in (429, 500, 503):
        with pytest.raises(Transient):
            robots_text(status, b"")


def test_robots_may_be_any_bytes() -> None:
    assert Robots(robots_text(200, b"\xff\xfe\x00 User-agent")).may_fetch("https://h.example/", "Copydesk")


@pytest.mark.parametrize(
    ("robots", "headers", "marks", "reason"),
    [
        (Robots("User-agent: GPTBot\nDisallow: /\n"), {}, frozenset[str](), "GPTBot"),
        (OPEN, {"tdm-reservation": "1"}, frozenset[str](), "tdm-reservation"),
        (OPEN, {"x-robots-tag": "noindex, NOAI"}, frozenset[str](), "noai"),
        (OPEN, {}, frozenset({"robots: noai"}), "page says"),
    ],
)
def test_each_opt_out_keeps_an_article_from_training(
    robots: Robots, headers: dict[str, str], marks: frozenset[str], reason: str
) -> None:
    permission = training_permission(robots, "https://h.example/a", headers, marks)
    assert not permission.allowed
    assert reason in permission.reason


def test_without_an_opt_out_an_article_may_train() -> None:
    assert training_permission(OPEN, "https://h.example/a", {"tdm-reservation": "0"}, frozenset()).allowed
