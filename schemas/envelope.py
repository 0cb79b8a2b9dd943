"""CloudEvents 1.0 in Kafka binary mode: attributes in `ce_…` headers, the event's JSON in the value.

The only place where events become bytes and bytes become events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from pydantic import ValidationError

from schemas.errors import Invalid
from schemas.events import Event
from schemas.topics import EVENT_TYPES, MAX_MESSAGE_BYTES

_ATTRIBUTES = ("ce_specversion", "ce_type", "ce_id", "ce_source", "ce_time")
_JSON = re.compile(rb"application/json\s*(;|$)", re.IGNORECASE)

MAX_HEADER_BYTES = 64 * 1024
"""Names and values together. Ours need a few hundred; the rest is for what others add on the way."""

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Message:
    """A Kafka message as every client takes it: key and value as bytes, headers as pairs."""

    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True)
class Envelope:
    """A received event with what stood on its envelope. `traceparent` is empty when the sender gave none."""

    event: Event
    event_id: str
    source: str
    time: datetime
    traceparent: str


def encode(event: Event, *, source: str, time: datetime, traceparent: str = "") -> Message:
    """Put an event into an envelope. `source` is the worker's name; `time` must know its zone (ValueError if not)."""
    if time.tzinfo is None:
        raise ValueError("an event's time needs a time zone")
    attributes = {
        "id": str(event.event_id),
        "type": event.type_name,
        "source": f"/copydesk/{source}",
        "time": time.astimezone(UTC),
        "datacontenttype": "application/json",
    }
    cloud_event = CloudEvent(attributes=attributes, data=event.model_dump_json().encode())
    message = to_binary(cloud_event, JSONFormat())
    headers = tuple(message.headers.items())
    if traceparent:  # a plain header, not a ce_ attribute: that is where OpenTelemetry looks for it
        headers += (("traceparent", traceparent.encode()),)
    return Message(key=event.key.encode(), value=message.value, headers=headers)


def decode(value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> Envelope:
    """Open an envelope. Raises `Invalid` for anything that is not an event of ours, with the reason in words.

    Extension attributes and foreign headers are ignored. Of a header that stands there twice, the last one holds.
    """
    if value is None:
        raise Invalid("the message has no value (a tombstone)")
    if len(value) > MAX_MESSAGE_BYTES:  # a compressed batch may hold more than a broker lets through
        raise Invalid(f"a value of {len(value)} bytes is larger than the {MAX_MESSAGE_BYTES} that a topic takes")
    pairs = tuple(headers)
    weight = sum(len(name) + len(raw or b"") for name, raw in pairs)
    if weight > MAX_HEADER_BYTES:
        raise Invalid(f"headers of {weight} bytes are more than the {MAX_HEADER_BYTES} that are read")
    by_name = {name: raw for name, raw in pairs if raw is not None}
    attributes, time = _attributes(by_name)
    expected = EVENT_TYPES.get(attributes.get_type())
    if expected is None:
        raise Invalid(f"unknown event type {attributes.get_type()!r}")
    try:
        event = expected.model_validate_json(value)
    except ValidationError as error:
        raise Invalid(_first_fault(error, expected.type_name)) from error
    return Envelope(
        event=event,
        event_id=attributes.get_id(),
        source=attributes.get_source(),
        time=time,
        traceparent=by_name.get("traceparent", b"").decode(errors="replace"),
    )


def _attributes(by_name: dict[str, bytes]) -> tuple[BaseCloudEvent, datetime]:
    """The CloudEvents attributes in the headers, and the time in UTC.

    All must be there: the SDK would make up a missing id or time, another one with each delivery.
    """
    content_type = by_name.get("content-type", b"application/json")
    if not _JSON.match(content_type):
        raise Invalid(f"the content type is {content_type!r}: we read application/json with the attributes in headers")
    missing = [name for name in _ATTRIBUTES if not by_name.get(name)]
    if missing:
        raise Invalid(f"not a CloudEvent: the {missing[0]} header is missing")
    ours = {name: by_name[name] for name in _ATTRIBUTES}
    try:
        attributes = from_binary(KafkaMessage(headers=ours, key=None, value=b""), JSONFormat(), CloudEvent)
        time = attributes.get_time()
        assert time is not None  # the header is there
        return attributes, time.astimezone(UTC)
    except (BaseCloudEventException, ValueError, OverflowError) as error:
        raise Invalid(f"not a CloudEvent: {error}") from error


def _first_fault(error: ValidationError, type_name: str) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    if fault["type"] == "json_invalid":
        return f"the value is not JSON: {fault['msg'].removeprefix('Invalid JSON: ')}"
    return f"not a {type_name}: {'.'.join(str(part) for part in fault['loc']) or 'value'}: {fault['msg']}"
