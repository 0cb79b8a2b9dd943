"""Dead letters read back: what was written about them, and the message as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copydesk.letters import REPLAY_OF, REPLAYED_AT, REPLAYS, facts, parse_address, put_back, read
from infra.kafka import RawHeaders, Record
from schemas.errors import Invalid, Transient
from schemas.topics import ARTICLES
from workers.dead_letters import ATTEMPTS, CONNECT, SPRING, VERDICT, Delivery, bury

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
ORIGINAL: RawHeaders = (("ce_id", b"7"), ("odd", None), ("ce_id", b"again"), ("raw", b"\xff"))


def died(
    headers: RawHeaders = ORIGINAL, *, offset: int = 12, error: Exception | None = None, attempts: int = 5
) -> Record:
    """The record on the topic of dead letters, as the streams write it."""
    delivery = Delivery(ARTICLES.name, 3, 2**40, NOON_MS, b"\xff key", b"{broken", headers)
    buried = bury(delivery, error or Transient("away"), group="copydesk.generator", attempts=attempts)
    return Record(ARTICLES.dead_letters, 0, offset, NOON_MS + 1000, delivery.key, delivery.value, buried)


def test_what_the_streams_wrote_is_read_back() -> None:
    letter = read(ARTICLES, died(error=Invalid("no such thing"), attempts=2))
    assert (letter.address, letter.verdict, letter.reader, letter.attempts) == (
        "articles/0/12",
        "invalid",
        "generator",
        2,
    )
    assert (letter.error, letter.message) == ("schemas.errors.Invalid", "no such thing")
    assert (letter.came_from, letter.came_at) == (f"articles/3/{2**40}", NOON)
    assert letter.stack_trace.startswith("schemas.errors.Invalid: no such thing")
    assert (letter.key, letter.value, letter.headers, letter.replays) == (b"\xff key", b"{broken", ORIGINAL, 0)


def test_a_letter_of_kafka_connect_is_read_as_far_as_it_goes() -> None:
    headers = ((CONNECT + "topic", b"articles"), (CONNECT + "partition", b"1"), (CONNECT + "offset", b"9"))
    letter = read(ARTICLES, Record("articles-dlt", 0, 0, NOON_MS, None, None, headers))
    assert (letter.came_from, letter.verdict, letter.attempts) == ("articles/1/9", "unknown", None)


def test_the_message_goes_back_as_it_was_with_a_mark_instead_of_its_death() -> None:
    parcel = put_back(read(ARTICLES, died()), NOON)
    assert (parcel.topic, parcel.key, parcel.value) == ("articles", b"\xff key", b"{broken")
    assert parcel.headers == (
        *ORIGINAL,
        (REPLAY_OF, b"articles/0/12"),
        (REPLAYED_AT, b"2026-11-22T12:00:00+00:00"),
        (REPLAYS, b"1"),
    )


def test_a_letter_that_dies_again_and_again_counts_and_keeps_nothing_twice() -> None:
    record = died()
    for times in range(1, 4):
        parcel = put_back(read(ARTICLES, record), NOON)
        record = died(parcel.headers, offset=12 + times)
        letter = read(ARTICLES, record)
        assert (letter.replays, letter.headers) == (times, ORIGINAL)
        names = [name for name, _ in record.headers]
        assert len(names) == len(set(names)) + 1, "ce_id stood there twice from the start, everything else once"


def test_a_letter_that_another_tool_sent_back_whole_is_not_doubled() -> None:
    again = died(died().headers, offset=13)
    names = [name for name, _ in again.headers]
    assert names.count(SPRING + "original-topic") == names.count(CONNECT + "topic") == names.count(VERDICT) == 1
    assert read(ARTICLES, again).headers == ORIGINAL


def test_letters_about_one_message_have_one_fingerprint_and_others_have_others() -> None:
    first = read(ARTICLES, died())
    again = read(ARTICLES, died(put_back(first, NOON).headers, offset=99, error=Invalid("else")))
    assert again.fingerprint == first.fingerprint
    for other in (ORIGINAL[:-1], (*ORIGINAL[:-1], ("raw", None)), (*ORIGINAL[:-1], ("ra", b"w\xff"))):
        assert read(ARTICLES, died(other)).fingerprint != first.fingerprint


@pytest.mark.parametrize(
    "address", ["articles", "articles/0", "articles/0/x", "articles/-1/0", "nothing/0/0", "", "a/1/²"]
)
def test_an_address_that_is_none_is_refused_in_words(address: str) -> None:
    with pytest.raises(Invalid, match="no letter's address"):
        parse_address(address)


NAMES = st.sampled_from(
    [
        SPRING + "original-partition",
        SPRING + "original-timestamp",
        CONNECT + "offset",
        VERDICT,
        ATTEMPTS,
        REPLAYS,
        "ce_id",
    ]
)
HEADERS = st.lists(st.tuples(NAMES | st.text(max_size=8), st.none() | st.binary(max_size=12)), max_size=8).map(tuple)


@given(
    headers=HEADERS, key=st.none() | st.binary(max_size=9), value=st.none() | st.binary(max_size=9), at=st.integers()
)
def test_whatever_lies_there_can_be_read_printed_and_put_back(
    headers: RawHeaders, key: bytes | None, value: bytes | None, at: int
) -> None:
    letter = read(ARTICLES, Record("articles-dlt", 0, 0, at, key, value, headers))
    json.dumps(facts(letter))
    parcel = put_back(letter, NOON)
    assert (parcel.key, parcel.value) == (key, value)
    assert parcel.headers[: len(letter.headers)] == letter.headers
