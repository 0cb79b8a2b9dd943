from __future__ import annotations

import random

import pytest

from infra.settings import Settings
from schemas.errors import Invalid
from workers.dead_letter_limit import DeadLetterLimit, TooManyDeadLetters

BROKEN = Invalid("the value is not JSON")


def usual() -> DeadLetterLimit:
    settings = Settings()
    return DeadLetterLimit(share=settings.dead_letter_share, least=settings.dead_letter_least)


def settle(limit: DeadLetterLimit, topic: str, *, dead: bool) -> None:
    if dead:
        limit.check(topic, BROKEN)
    limit.note(topic, dead=dead)


def buried_until_it_stops(limit: DeadLetterLimit, share: float, messages: int) -> int | None:
    """How many are buried before it stops; None if it never does."""
    draw, buried = random.Random(7), 0
    for _ in range(messages):
        dead = draw.random() < share
        try:
            settle(limit, "articles", dead=dead)
        except TooManyDeadLetters:
            return buried
        buried += dead
    return None


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1])
def test_a_little_poison_never_stops_a_worker(share: float) -> None:
    assert buried_until_it_stops(usual(), share, 100_000) is None


def test_a_few_dead_letters_never_stop_a_worker_even_if_there_is_nothing_else() -> None:
    assert buried_until_it_stops(usual(), 1.0, 99) is None


@pytest.mark.parametrize("share", [0.3, 0.5, 1.0])
def test_a_flood_stops_it_soon(share: float) -> None:
    assert (buried_until_it_stops(usual(), share, 100_000) or 10_000) < 300


def test_a_flood_after_much_good_traffic_stops_it_before_it_has_buried_much() -> None:
    limit = usual()
    for _ in range(100_000):
        settle(limit, "articles", dead=False)
    assert buried_until_it_stops(limit, 1.0, 10_000) == 200


def test_each_topic_counts_for_itself() -> None:
    limit = usual()
    for _ in range(10_000):
        settle(limit, "articles", dead=False)
    for _ in range(99):
        settle(limit, "titles", dead=True)
    with pytest.raises(TooManyDeadLetters, match="of titles"):
        settle(limit, "titles", dead=True)


def test_a_share_of_one_never_stops_a_worker() -> None:
    assert buried_until_it_stops(DeadLetterLimit(share=1.0, least=1), 1.0, 5_000) is None


def test_it_says_what_to_do() -> None:
    limit = DeadLetterLimit(share=0.5, least=1)
    with pytest.raises(TooManyDeadLetters) as told:
        limit.check("articles", BROKEN)
    for word in (
        "1 of the last 1 messages of articles",
        "not JSON",
        "copydesk dlt list",
        "COPYDESK_DEAD_LETTER_SHARE=1",
    ):
        assert word in str(told.value)
