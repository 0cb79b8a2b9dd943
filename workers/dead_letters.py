"""What a dead letter says about itself, in the words that existing tools read.

Two header families are written: Spring Kafka's (`kafka_dlt-…`, numbers as big-endian bytes) and Kafka Connect's
(`__connect.errors.…`, everything as text). The original key, value and headers stay as they are.
"""

from __future__ import annotations

import struct
import traceback
from dataclasses import dataclass

from schemas.errors import Invalid

RawHeaders = tuple[tuple[str, bytes | None], ...]
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
        ("kafka_dlt-original-topic", delivery.topic.encode()),
        ("kafka_dlt-original-partition", struct.pack(">i", delivery.partition)),
        ("kafka_dlt-original-offset", struct.pack(">q", delivery.offset)),
        ("kafka_dlt-original-timestamp", struct.pack(">q", delivery.timestamp_ms)),
        ("kafka_dlt-original-timestamp-type", b"CREATE_TIME"),
        ("kafka_dlt-original-consumer-group", group.encode()),
        ("kafka_dlt-exception-fqcn", name.encode()),
        ("kafka_dlt-exception-message", message),
        ("kafka_dlt-exception-stacktrace", trace),
    )
    connect: RawHeaders = (
        ("__connect.errors.topic", delivery.topic.encode()),
        ("__connect.errors.partition", str(delivery.partition).encode()),
        ("__connect.errors.offset", str(delivery.offset).encode()),
        ("__connect.errors.connector.name", group.encode()),
        ("__connect.errors.exception.class.name", name.encode()),
        ("__connect.errors.exception.message", message),
        ("__connect.errors.exception.stacktrace", trace),
    )
    verdict = b"invalid" if isinstance(error, Invalid) else b"transient"
    ours: RawHeaders = (("copydesk-verdict", verdict), ("copydesk-attempts", str(attempts).encode()))
    return delivery.headers + spring + connect + ours


def _text(text: str) -> bytes:
    return text.encode(errors="replace")[:LONGEST_TEXT]
