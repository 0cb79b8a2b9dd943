from __future__ import annotations

import struct

from schemas.errors import Invalid, Transient
from workers.dead_letters import Delivery, bury

DELIVERY = Delivery(
    topic="articles",
    partition=3,
    offset=2**40,
    timestamp_ms=1_790_000_000_000,
    key=b"\xff key",
    value=b"{broken",
    headers=(("ce_id", b"7"), ("odd", None)),
)


def buried(error: Exception, attempts: int = 1) -> dict[str, bytes | None]:
    return dict(bury(DELIVERY, error, group="copydesk.test", attempts=attempts))


def test_the_original_headers_come_first_and_untouched() -> None:
    assert bury(DELIVERY, Invalid("x"), group="g", attempts=1)[:2] == DELIVERY.headers


def test_spring_finds_numbers_as_big_endian_bytes() -> None:
    headers = buried(Invalid("no such thing"))
    assert headers["kafka_dlt-original-topic"] == b"articles"
    assert headers["kafka_dlt-original-partition"] == struct.pack(">i", 3)
    assert headers["kafka_dlt-original-offset"] == struct.pack(">q", 2**40)
    assert headers["kafka_dlt-original-timestamp"] == struct.pack(">q", 1_790_000_000_000)
    assert headers["kafka_dlt-original-consumer-group"] == b"copydesk.test"
    assert headers["kafka_dlt-exception-fqcn"] == b"schemas.errors.Invalid"
    assert headers["kafka_dlt-exception-message"] == b"no such thing"


def test_connect_finds_everything_as_text() -> None:
    headers = buried(Invalid("no such thing"))
    assert headers["__connect.errors.topic"] == b"articles"
    assert headers["__connect.errors.partition"] == b"3"
    assert headers["__connect.errors.offset"] == str(2**40).encode()
    assert headers["__connect.errors.exception.class.name"] == b"schemas.errors.Invalid"


def test_a_dead_letter_says_why_and_how_often_it_was_tried() -> None:
    assert buried(Transient("away"), 5)["copydesk-attempts"] == b"5"
    assert buried(Transient("away"))["copydesk-verdict"] == b"transient"
    assert buried(Invalid("wrong"))["copydesk-verdict"] == b"invalid"


def test_an_endless_message_does_not_make_an_endless_letter() -> None:
    added = bury(DELIVERY, Invalid("é" * 1_000_000), group="g", attempts=1)[2:]
    assert sum(len(raw or b"") for _, raw in added) < 20_000


def test_a_message_that_is_no_text_is_still_written_down() -> None:
    assert buried(Invalid("\ud800"))["kafka_dlt-exception-message"] == b"?"
