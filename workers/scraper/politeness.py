"""How often a publisher may be asked, and what its robots.txt and its pages allow. Pure functions of values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from protego import Protego

from schemas.errors import Transient

DAY_S = 86_400.0
FIRST_RETRY_S = 60.0
LONGEST_RETRY_S = 6 * 3600.0
TRAINING_BOTS = (
    "GPTBot",
    "CCBot",
    "Google-Extended",
    "ClaudeBot",
    "anthropic-ai",
    "Applebot-Extended",
    "Meta-ExternalAgent",
    "Bytespider",
    "cohere-ai",
)
"""Crawlers that say they collect training data; who keeps one of them out does not want a page to train models."""

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d+)", re.I)


@dataclass(frozen=True)
class Permission:
    """May the text train a model, and by which word of the publisher."""

    allowed: bool
    reason: str


class Robots:
    """One host's robots.txt (RFC 9309). An empty one allows everything."""

    def __init__(self, text: str) -> None:
        self._rules = Protego.parse(text)

    def may_fetch(self, url: str, user_agent: str) -> bool:
        return bool(self._rules.can_fetch(url, user_agent.partition("/")[0]))

    def training_bot_refused(self, url: str) -> str:
        """Name of a training crawler that may not read this page although we may look at it; empty if there is none."""
        for bot in TRAINING_BOTS:
            if not self._rules.can_fetch(url, bot):
                return bot
        return ""


def robots_text(status: int, body: bytes) -> str:
    """The rules in an answer to /robots.txt (RFC 9309, 2.3.1): 4xx means none. Raises `Transient` for 5xx and 429:
    until we know, everything there is closed."""
    if 200 <= status < 300:
        return body[: 512 * 1024].decode("utf-8", errors="replace").lstrip("\ufeff")
    if 400 <= status < 500 and status != 429:
        return ""
    raise Transient(f"robots.txt answers {status}")


def training_permission(robots: Robots, url: str, headers: Mapping[str, str], page_marks: frozenset[str]) -> Permission:
    """`headers` has lower-case names; `page_marks` are the page's own opt-outs as `extract` found them."""
    if bot := robots.training_bot_refused(url):
        return Permission(False, f"robots.txt keeps {bot} out")
    if headers.get("tdm-reservation", "").strip() == "1":
        return Permission(False, "header tdm-reservation: 1")
    if "noai" in headers.get("x-robots-tag", "").lower():
        return Permission(False, "header x-robots-tag: noai")
    if page_marks:
        return Permission(False, f"page says {', '.join(sorted(page_marks))}")
    return Permission(True, "no opt-out found")


def retry_after_s(header: str, now: datetime) -> float:
    """Seconds that a Retry-After header asks for, given as seconds or as a date; 0 when there is none."""
    if header.strip().isdigit():
        return min(float(header.strip()), DAY_S)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now).total_seconds()), DAY_S)


def max_age_s(cache_control: str) -> float:
    """Seconds for which the publisher says that the answer stays good; 0 when it does not say."""
    found = _MAX_AGE.search(cache_control)
    return float(found.group(1)) if found else 0.0


def backoff_s(failures: int, *, first_s: float, draw: float) -> float:
    """Seconds before try number `failures` + 1: doubling, capped, and spread by `draw` in [0, 1).

    Without the spread all feeds of a host that was down would come back in the same second, again and again.
    """
    longest = min(LONGEST_RETRY_S, first_s * 2.0 ** max(0, min(failures, 20) - 1))
    return longest * (0.75 + 0.5 * draw)


def next_poll(
    now: datetime, *, min_poll_s: float, asked_s: float = 0.0, failures: int = 0, draw: float = 0.5
) -> datetime:
    """When to ask a feed again: not before `min_poll_s`, nor before what the publisher asked for (at most a day).

    A failing feed is asked ever more seldom.
    """
    wait = max(min_poll_s, min(asked_s, DAY_S))
    if failures:
        wait = max(wait, backoff_s(failures, first_s=min_poll_s, draw=draw))
    return now + timedelta(seconds=wait * (1 + 0.05 * draw))
