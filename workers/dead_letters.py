"""What a dead letter says about itself, in the words that existing tools read.

Two header families are written: Spring Kafka's (`kafka_dlt-…`, numbers as big-endian bytes) and Kafka Connect's
(`__connect.errors.…`, everything as text). The original key, value and headers stay as they are; only what an earlier
letter said about itself is replaced, where a tool has sent a whole letter back.
"""

from __future__ import annotations

import struct
import traceback
from dataclasses import dataclass, replace

from schemas.envelope import MAX_HEADER_BYTES
from schemas.errors import Invalid
from schemas.topics import MAX_MESSAGE_BYTES

RawHeaders = tuple[tuple[str, bytes | None], ...]
SPRING, CONNECT = "kafka_dlt-", "__connect.errors."
VERDICT, ATTEMPTS, LEFT_OUT = "copydesk-verdict", "copydesk-attempts", "copydesk-left-out"
LONGEST_TEXT = 4_000
"""Bytes of a message or a stack trace; the letter itself may already be as large as a topic takes."""


@dataclass(frozen=True)
class Delivery:
    """A message exactly as the broker gave it; nothing in it can be trusted. `timestamp_ms` is 0 where it has none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: RawHeaders


def bury(delivery: Delivery, error: BaseException, *, group: str, attempts: int) -> RawHeaders:
    """Headers of the dead letter: the original ones, then where it came from, why, and how often it was tried."""
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    message = _text(str(error) or type(error).__name__)
    trace = _text("".join(traceback.format_exception(error)))
    spring: RawHeaders = (
        (SPRING + "original-topic", delivery.topic.encode()),
        (SPRING + "original-partition", struct.pack(">i", delivery.partition)),
        (SPRING + "original-offset", struct.pack(">q", delivery.offset)),
        (SPRING + "original-timestamp", struct.pack(">q", delivery.timestamp_ms)),
        (SPRING + "original-timestamp-type", b"CREATE_TIME"),
        (SPRING + "original-consumer-group", group.encode()),
        (SPRING + "exception-fqcn", name.encode()),
        (SPRING + "exception-message", message),
        (SPRING + "exception-stacktrace", trace),
    )
    connect: RawHeaders = (
        (CONNECT + "topic", delivery.topic.encode()),
        (CONNECT + "partition", str(delivery.partition).encode()),
        (CONNECT + "offset", str(delivery.offset).encode()),
        (CONNECT + "connector.name", group.encode()),
        (CONNECT + "exception.class.name", name.encode()),
        (CONNECT + "exception.message", message),
        (CONNECT + "exception.stacktrace", trace),
    )
    verdict = b"invalid" if isinstance(error, Invalid) else b"transient"
    ours: RawHeaders = ((VERDICT, verdict), (ATTEMPTS, str(attempts).encode()))
    return without_reasons(delivery.headers) + spring + connect + ours


def cut_to_fit(delivery: Delivery) -> Delivery:
    """The message itself, or what of it fits into a letter: without value, headers and key if they are too large.

    A broker weighs compressed batches: what it let through may be too large to be sent on. It stays where it lies, and
    the letter says where that is.
    """
    headers = sum(len(name) + len(raw or b"") for name, raw in delivery.headers)
    sizes = len(delivery.key or b""), len(delivery.value or b""), headers
    if sum(sizes) <= MAX_MESSAGE_BYTES + MAX_HEADER_BYTES:
        return delivery
    left_out = "too large: key, value and headers of {}, {} and {} bytes".format(*sizes)
    return replace(delivery, key=None, value=None, headers=((LEFT_OUT, left_out.encode()),))


def without_reasons(headers: RawHeaders) -> RawHeaders:
    """The headers without those that `bury` adds."""
    return tuple(
        (name, raw)
        for name, raw in headers
        if not name.startswith((SPRING, CONNECT)) and name not in (VERDICT, ATTEMPTS)
    )


def _text(text: str) -> bytes:
    return text.encode(errors="replace")[:LONGEST_TEXT]
