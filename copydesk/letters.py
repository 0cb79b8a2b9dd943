"""A dead letter read back: what `workers.dead_letters` wrote about it, and the message as it was before. Pure.

Letters of other tools (Kafka Connect, Spring) are read as far as their headers go; nothing in a letter can be trusted.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.kafka import RawHeaders, Record
from infra.resend import Parcel
from schemas.errors import Invalid
from schemas.topics import TOPICS, Topic
from workers.dead_letters import ATTEMPTS, CONNECT, LEFT_OUT, SPRING, VERDICT, without_reasons

REPLAY_OF, REPLAYED_AT, REPLAYS = "copydesk-replay-of", "copydesk-replayed-at", "copydesk-replays"
"""What a message that was put back says about itself: which letter it was, when, and the how manieth time it was."""


@dataclass(frozen=True)
class Letter:
    """A dead letter. `topic` is the one it came from and goes back to; what nobody wrote down is empty or None."""

    topic: str
    partition: int
    offset: int
    written_at: datetime
    verdict: str
    reader: str
    attempts: int | None
    replays: int
    error: str
    message: str
    stack_trace: str
    came_from: str
    came_at: datetime | None
    key: bytes | None
    value: bytes | None
    headers: RawHeaders
    left_out: str
    """What is missing in the letter because it was too large for one; empty if it is whole."""

    @property
    def address(self) -> str:
        """What the commands call it: topic, and place on the topic of dead letters."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def fingerprint(self) -> bytes:
        """The same for letters about the same message, however often it was put back and by whomever it was buried."""
        parts = [self.key, self.value, *(part for name, raw in self.headers for part in (name.encode(), raw))]
        digest = hashlib.sha256(self.topic.encode())
        for part in parts:
            digest.update(b"-" if part is None else b"%d:%b" % (len(part), part))
        return digest.digest()


def read(topic: Topic, record: Record) -> Letter:
    """The letter in a record of the topic's dead letters; never fails."""
    by_name = {name: raw for name, raw in record.headers if raw is not None}

    def text(*names: str) -> str:
        return next((by_name[name].decode(errors="replace") for name in names if name in by_name), "")

    origin = text(SPRING + "original-topic", CONNECT + "topic")
    partition = _number(by_name.get(SPRING + "original-partition"), text(CONNECT + "partition"))
    offset = _number(by_name.get(SPRING + "original-offset"), text(CONNECT + "offset"))
    came_ms = _number(by_name.get(SPRING + "original-timestamp"), "")
    reader = text(SPRING + "original-consumer-group", CONNECT + "connector.name")
    return Letter(
        topic=topic.name,
        partition=record.partition,
        offset=record.offset,
        written_at=_moment(record.timestamp) or datetime.fromtimestamp(0, UTC),
        verdict=text(VERDICT) or "unknown",
        reader=reader.removeprefix("copydesk."),
        attempts=_number(None, text(ATTEMPTS)),
        replays=max(0, _number(None, text(REPLAYS)) or 0),
        error=text(SPRING + "exception-fqcn", CONNECT + "exception.class.name"),
        message=text(SPRING + "exception-message", CONNECT + "exception.message"),
        stack_trace=text(SPRING + "exception-stacktrace", CONNECT + "exception.stacktrace"),
        came_from=f"{origin}/{partition}/{offset}" if origin and None not in (partition, offset) else "",
        came_at=_moment(came_ms) if came_ms else None,
        key=record.key,
        value=record.value,
        headers=_original(record.headers),
        left_out=text(LEFT_OUT),
    )


def whole(letter: Letter) -> Letter:
    """The letter, if it holds its message. Raises `Invalid` for one that was too large for that."""
    if letter.left_out:
        raise Invalid(
            f"{letter.address} does not hold its message ({letter.left_out}), which still lies at {letter.came_from}: "
            f"`copydesk replay --topic {letter.topic}` lets a worker read it there again"
        )
    return letter


def put_back(letter: Letter, now: datetime) -> Parcel:
    """The message as it was, for the topic it came from, with a mark of ours in place of everything about its death."""
    mark: RawHeaders = (
        (REPLAY_OF, letter.address.encode()),
        (REPLAYED_AT, now.astimezone(UTC).isoformat(timespec="seconds").encode()),
        (REPLAYS, str(letter.replays + 1).encode()),
    )
    return Parcel(letter.topic, letter.key, letter.value, letter.headers + mark)


def parse_address(address: str) -> tuple[Topic, int, int]:
    """Topic, partition and offset of a letter's address. Raises `Invalid`."""
    name, _, place = address.partition("/")
    partition, _, offset = place.partition("/")
    topic = next((topic for topic in TOPICS if topic.name == name), None)
    if topic is None or not (partition.isdecimal() and offset.isdecimal()):
        raise Invalid(
            f"{address!r} is no letter's address; one looks like articles/0/12 (`copydesk dlt list` has them)"
        )
    return topic, int(partition), int(offset)


def facts(letter: Letter) -> dict[str, Any]:
    """The whole letter for JSON; bytes that are no text become {"base64": …}."""
    return {
        "letter": letter.address,
        "topic": letter.topic,
        "written_at": letter.written_at.isoformat(),
        "verdict": letter.verdict,
        "reader": letter.reader,
        "attempts": letter.attempts,
        "replays": letter.replays,
        "error": letter.error,
        "message": letter.message,
        "came_from": letter.came_from,
        "came_at": letter.came_at.isoformat() if letter.came_at else None,
        "key": _json_bytes(letter.key),
        "left_out": letter.left_out,
        "headers": [[name, _json_bytes(raw)] for name, raw in letter.headers],
        "value": _json_bytes(letter.value),
        "stack_trace": letter.stack_trace,
    }


def _original(headers: RawHeaders) -> RawHeaders:
    return tuple(pair for pair in without_reasons(headers) if pair[0] not in (REPLAY_OF, REPLAYED_AT, REPLAYS))


def _number(packed: bytes | None, text: str) -> int | None:
    """A number as Spring packs it, else as Connect spells it."""
    if packed is not None and len(packed) in (4, 8):
        number: int = struct.unpack(">i" if len(packed) == 4 else ">q", packed)[0]
        return number
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _moment(milliseconds: int | None) -> datetime | None:
    try:
        return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _json_bytes(raw: bytes | None) -> str | dict[str, str] | None:
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}
