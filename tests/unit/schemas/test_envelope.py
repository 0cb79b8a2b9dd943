"""Bytes to events and back, with everything that can stand on an envelope."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, ValidationError

from schemas.envelope import decode, encode
from schemas.errors import Invalid
from schemas.events import Adapter, Article, Correction, Event, Origin, ScoredTitle, Title, Verdict, Violation
from schemas.golden import messages
from schemas.topics import ARTICLES, PUBLISHED

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=9, minutes=30)), timezone(timedelta(hours=-11))])
MOMENTS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001  # bounds have no zone
VALUES: dict[object, st.SearchStrategy[object]] = {
    str: st.text(min_size=1),
    int: st.integers(1, 2**62),
    float: st.floats(0, 1e300),
    bool: st.booleans(),
    UUID: st.uuids(),
    AwareDatetime: MOMENTS,
    Origin: st.sampled_from(Origin),
    Verdict: st.sampled_from(Verdict),
    tuple[str, ...]: st.lists(st.text(), max_size=3).map(tuple),
    tuple[Violation, ...]: st.lists(st.builds(Violation, rule=st.text(), reason=st.text()), max_size=3).map(tuple),
}
VALUES |= {kind | None: st.none() | VALUES[kind] for kind in (str, float, UUID, AwareDatetime)}


def any_event(kind: type[Event]) -> st.SearchStrategy[Event]:
    return st.builds(kind, **{name: VALUES[info.annotation] for name, info in kind.model_fields.items()})


VALUES[Article] = any_event(Article)
EVENTS = st.one_of([any_event(kind) for kind in (Article, Title, ScoredTitle, Correction, Adapter)])

GOOD = next(messages(PUBLISHED))


def headers(**changes: bytes | None) -> list[tuple[str, bytes | None]]:
    """The headers of a good message with some replaced; None as Kafka has it: a header without a value."""
    changed = {name.replace("content_type", "content-type"): raw for name, raw in changes.items()}
    return list({**dict(GOOD.wire_headers), **changed}.items())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event=EVENTS, time=MOMENTS, traceparent=st.sampled_from(["", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa-01"]))
def test_whatever_is_put_into_an_envelope_comes_out_of_it(event: Event, time: datetime, traceparent: str) -> None:
    message = encode(event, source="scorer", time=time, traceparent=traceparent)
    opened = decode(message.value, message.headers)
    assert opened.event == event
    assert (opened.event_id, opened.source) == (str(event.event_id), "/copydesk/scorer")
    assert (opened.time, opened.time.tzinfo, opened.traceparent) == (time, UTC, traceparent)
    assert message.key.decode() == event.key


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=st.binary(), more=st.lists(st.tuples(st.text(), st.none() | st.binary()), max_size=5))
def test_no_bytes_whatever_get_past_as_anything_but_invalid(value: bytes, more: list[tuple[str, bytes | None]]) -> None:
    with pytest.raises(Invalid):
        decode(value, [*headers(), *more])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(["ce_id", "ce_type", "ce_source", "ce_time", "ce_specversion", "content-type"]),
    raw=st.binary(),
)
def test_no_header_whatever_does_more_than_make_the_message_invalid(name: str, raw: bytes) -> None:
    with contextlib.suppress(Invalid):
        decode(GOOD.wire_value, [*GOOD.wire_headers, (name, raw)])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "the message has no value"),
        (b"", "the value is not JSON"),
        (b"<rss/>", "the value is not JSON"),
        (b"\xff\xfe{}", "the value is not JSON"),
        (b"[" * 100_000, "the value is not JSON"),
        (b'{"precision": NaN}', "not a copydesk.scored-title.v1"),
        (b"[]", "not a copydesk.scored-title.v1: value"),
        (b"{}", "not a copydesk.scored-title.v1: title_id: Field required"),
        (GOOD.wire_value.replace(b'"revision": 1', b'"revision": 0'), "revision: Input should be greater than"),
        (GOOD.wire_value.replace(b'"audit": false', b'"audit": "\\ud800"'), "the value is not JSON"),
    ],
)
def test_a_value_that_is_no_event_says_why(value: bytes | None, reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode(value, headers())
    assert str(caught.value).startswith(reason) or reason in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ce_type": None}, "the ce_type header is missing"),
        ({"ce_id": None}, "the ce_id header is missing"),
        ({"ce_id": b""}, "the ce_id header is missing"),
        ({"ce_time": None}, "the ce_time header is missing"),
        ({"ce_type": b"copydesk.article.v9"}, "unknown event type 'copydesk.article.v9'"),
        ({"ce_type": b"\xff"}, "not a CloudEvent"),
        ({"ce_specversion": b"0.3"}, "specversion"),
        ({"ce_time": b"yesterday"}, "not a CloudEvent"),
        ({"ce_time": b"2026-11-22T12:00:00"}, "time zone|timezone"),
        ({"ce_time": b"0001-01-01T00:00:00+14:00"}, "not a CloudEvent"),
        ({"content_type": b"application/cloudevents+json"}, "with the attributes in headers"),
        ({"content_type": b"application/avro"}, "we read application/json"),
    ],
)
def test_a_header_that_is_missing_or_wrong_says_which(changes: dict[str, bytes | None], reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        decode(GOOD.wire_value, headers(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"traceparent": b"\xff\x00"},
        {"ce_Hostile-Extension!": b"\xff"},
        {"x-other": None},
        {"content_type": b"application/json; charset=utf-8"},
        {"content_type": None},
    ],
)
def test_what_does_not_concern_the_event_does_not_spoil_it(changes: dict[str, bytes | None]) -> None:
    assert decode(GOOD.wire_value, headers(**changes)).event_id == GOOD.headers["ce_id"]


def test_of_a_header_that_stands_there_twice_the_last_one_holds() -> None:
    opened = decode(GOOD.wire_value, [("ce_id", b"first"), *GOOD.wire_headers])
    assert opened.event_id == GOOD.headers["ce_id"]


def test_an_envelope_needs_a_time_that_knows_its_zone() -> None:
    event = decode(GOOD.wire_value, GOOD.wire_headers).event
    with pytest.raises(ValueError, match="time zone"):
        encode(event, source="scorer", time=datetime(2026, 11, 22, 12, 0))  # noqa: DTZ001  # the case under test


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_an_event_cannot_carry_a_number_that_json_has_no_word_for(score: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        ScoredTitle.model_validate({**GOOD.value, "precision": score})


def test_an_event_cannot_carry_a_time_without_a_zone() -> None:
    found = next(messages(ARTICLES)).value
    with pytest.raises(ValidationError, match="timezone"):
        Article.model_validate({**found, "fetched_at": "2026-11-22T12:00:00"})


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ScoredTitle.model_validate(GOOD.value).text = "another"


def test_the_value_is_plain_utf8_json() -> None:
    event = decode(GOOD.wire_value, GOOD.wire_headers).event.model_copy(update={"text": "Länder – „einig“ 🏛"})
    value = encode(event, source="scorer", time=NOON).value
    assert "Länder – „einig“ 🏛".encode() in value
    assert json.loads(value)["text"] == "Länder – „einig“ 🏛"
