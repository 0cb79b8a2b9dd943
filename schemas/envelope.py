"""CloudEvents 1.0 in Kafka binary mode: attributes in `ce_…` headers, the event's JSON in the value.

The only place where events become bytes and bytes become events.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from pydantic import ValidationError

from schemas.errors import Invalid
from schemas.events import Event
from schemas.topics import EVENT_TYPES

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
    cloud_event = CloudEvent(attributes=attributes, data=event.model_dump(mode="json"))
    message = to_binary(cloud_event, JSONFormat())
    headers = tuple(message.headers.items())
    if traceparent:  # a plain header, not a ce_ attribute: that is where OpenTelemetry looks for it
        headers += (("traceparent", traceparent.encode()),)
    return Message(key=event.key.encode(), value=message.value, headers=headers)


def decode(value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Envelope:
    """Open an envelope. Raises `Invalid` for anything that is not an event of ours, with the reason in words."""
    if value is None:
        raise Invalid("the message has no value (a tombstone)")
    by_name = dict(headers)
    event_type = _text(by_name, "ce_type")
    expected = EVENT_TYPES.get(event_type)
    if expected is None:
        raise Invalid(f"unknown event type {event_type!r}" if event_type else "the ce_type header is missing")
    relevant = {name: raw for name, raw in by_name.items() if name.startswith("ce_") or name == "content-type"}
    try:
        cloud_event = from_binary(KafkaMessage(headers=relevant, key=None, value=value), JSONFormat())
    except Exception as error:  # the SDK raises what its parsers raise: JSON, dates, missing attributes
        raise Invalid(f"not a CloudEvent: {error}") from error
    try:
        event = expected.model_validate(cloud_event.get_data())
    except ValidationError as error:
        raise Invalid(f"not a {event_type}: {_first_fault(error)}") from error
    return Envelope(
        event=event,
        event_id=cloud_event.get_id(),
        source=cloud_event.get_source(),
        time=cloud_event.get_time() or datetime.fromtimestamp(0, UTC),
        traceparent=_text(by_name, "traceparent"),
    )


def _text(headers: dict[str, bytes], name: str) -> str:
    try:
        return headers.get(name, b"").decode()
    except UnicodeDecodeError as error:
        raise Invalid(f"the {name} header is not UTF-8") from error


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in fault['loc']) or 'value'}: {fault['msg']}"
