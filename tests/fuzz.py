"""Messages as nobody would send them: arbitrary bytes, and real messages with something wrong inside."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from schemas.golden import Golden, messages
from schemas.topics import TOPICS
from workers.dead_letters import RawHeaders

DATE = re.compile(r"\d{4}-\d\d-\d\dT")

Raw = tuple[bytes | None, bytes | None, RawHeaders]
"""Key, value and headers."""

OUR_NAMES = ("ce_type", "ce_id", "ce_time", "ce_specversion", "ce_source", "content-type", "traceparent")
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, -0.0, 1e308, 2**31, 2**63, -(2**63) - 1, 10**400,
    "", " ", "\x00", "a\x00b", "\u202e", "\ufffe", "\U0010ffff", "\ud800", "\udfff\ud800", "e\u0301" * 50, "x" * 3_000,
    "http://[", "file://[::/v1", "../../etc/passwd", "{{7*7}}", "%s%n{0}", "'; DROP TABLE articles; --",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z", "1e400", 1e15, -62135596800,
    "2026-11-22T12:00:00+23:59", "infinity", "00000000-0000-0000-0000-000000000000", "en-XX", "zz",
    [], {}, [[]], [None], {"rule": None}, ["\x00"], [{"rule": "\x00", "reason": "\ud800"}],
)  # fmt: skip
WHOLE_VALUES: tuple[bytes, ...] = (
    b"", b"null", b"[]", b"0", b'""', b"{", b"\xff\xfe", b"NaN", b"1" * 500, b'{"a":' * 250, b"[" * 250,
    b'{"revision":' + b"9" * 500 + b"}", b"\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
    b" " * 200, b'{"text":"\\ud800"}', b"\xef\xbb\xbf{}",
)  # fmt: skip

_keys = st.none() | st.binary(max_size=40) | st.just(b"champion")
_headers = st.lists(
    st.tuples(st.sampled_from(OUR_NAMES) | st.text(max_size=20), st.none() | st.binary(max_size=60)), max_size=12
)


def arbitrary() -> st.SearchStrategy[Raw]:
    """Bytes without any sense."""
    return st.tuples(_keys, st.none() | st.binary(max_size=200) | st.sampled_from(WHOLE_VALUES), _headers.map(tuple))


def golden() -> list[Golden]:
    """Every example message of every topic."""
    return [message for topic in TOPICS for message in messages(topic)]


@st.composite
def spoiled(draw: st.DrawFn, topic: str = "") -> Raw:
    """A real message with up to three faults; some of those make no difference, so that it is valid.

    Of any topic, or mostly of the one named.
    """
    ours = [message for each in TOPICS if each.name == topic for message in messages(each)]
    message = draw(st.sampled_from(golden()) | st.sampled_from(ours) if ours else st.sampled_from(golden()))
    value: Any = json.loads(message.wire_value)
    for _ in range(draw(st.integers(0, 3))):
        _spoil(draw, value)
    headers: list[tuple[str, bytes | None]] = list(message.wire_headers)
    for fault in draw(st.lists(st.sampled_from(HEADER_FAULTS), max_size=2)):
        fault(draw, headers)
    key = draw(st.just(message.key.encode()) | _keys)
    return key, json.dumps(value).encode(), tuple(headers)


def _spoil(draw: st.DrawFn, value: Any) -> None:
    """Go to some place inside, and take away, replace or add there."""
    while True:
        inside = (
            [key for key in value if isinstance(value[key], dict) and value[key]] if isinstance(value, dict) else []
        )
        if not inside or not draw(st.booleans()):
            break
        value = value[draw(st.sampled_from(sorted(inside)))]
    if not value:
        return
    name = draw(st.sampled_from(sorted(value)))
    match draw(st.sampled_from(("extreme", "extreme", "extreme", "replace", "text", "number", "remove", "add"))):
        case "extreme":
            value[name] = draw(st.sampled_from(_extremes(value[name])))
        case "replace":
            value[name] = deepcopy(draw(st.sampled_from(ODD)))
        case "text":
            value[name] = draw(st.text(st.characters(exclude_categories=()), max_size=50))
        case "number":
            value[name] = draw(st.integers() | st.floats(allow_nan=True))
        case "remove":
            del value[name]
        case _:
            value[draw(st.text(max_size=10))] = deepcopy(draw(st.sampled_from(ODD)))


def _extremes(value: Any) -> tuple[Any, ...]:
    """Values of the same kind that a reader takes, and that something behind it may not."""
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        return True, None, [], ["\x00"]
    if isinstance(value, int | float):
        return 0, 1, 2**31, 2**63, 10**30, 1e308, 5e-324
    if DATE.match(value):
        return "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
    return "a\x00b", "\x00", "", "x" * 3_000, "\u202e\u2066", "\ufffe\uffff", "e\u0301" * 50


def _replace_one(draw: st.DrawFn, headers: list[tuple[str, bytes | None]]) -> None:
    at = draw(st.integers(0, len(headers) - 1))
    odd = (b"", b"\x00", b"\xff", b"copydesk.title.v1", b"0001-01-01T00:00:00+14:00", b"9" * 500, b"a/b;c=d", None)
    headers[at] = (headers[at][0], draw(st.sampled_from(odd) | st.binary(max_size=30)))


def _odd_time(draw: st.DrawFn, headers: list[tuple[str, bytes | None]]) -> None:
    odd = (b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00", b"2026-11-22T12:00:00", b"now", b"0")
    headers.append(("ce_time", draw(st.sampled_from(odd))))


def _remove_one(draw: st.DrawFn, headers: list[tuple[str, bytes | None]]) -> None:
    if len(headers) > 1:
        del headers[draw(st.integers(0, len(headers) - 1))]


def _add_many(draw: st.DrawFn, headers: list[tuple[str, bytes | None]]) -> None:
    headers.extend((f"x-{number}", b"y" * 20) for number in range(draw(st.sampled_from((1, 50, 200)))))


def _foreign(draw: st.DrawFn, headers: list[tuple[str, bytes | None]]) -> None:
    name = draw(st.sampled_from(("traceparent", "ce_extra", "kafka_dlt-original-offset", "copydesk-attempts", "")))
    headers.append((name, draw(st.none() | st.binary(max_size=80))))


Fault = Callable[[st.DrawFn, list[tuple[str, bytes | None]]], None]
HEADER_FAULTS: tuple[Fault, ...] = (_odd_time, _replace_one, _remove_one, _add_many, _foreign)


def raw_messages(topic: str = "") -> st.SearchStrategy[Raw]:
    """What the tests draw from; `topic` as in `spoiled`."""
    return spoiled(topic) | spoiled(topic) | spoiled(topic) | arbitrary()
