"""Traces: one per revision of an article, over all workers, carried by the `traceparent` header (W3C Trace Context).

The trace's id is made from the article event's id. So whoever knows an article and its revision knows its trace: the
desk, which reads the article from the database days later, and `copydesk trace`. Spans go to a collector over
OTLP/HTTP (`COPYDESK_TRACE_ENDPOINT`), or else into files in the data folder.

The SDK is imported by `start`; without it, spans are nobody's and the traceparent is passed on all the same.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from infra.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

Value = str | int | float | bool
_W3C = TraceContextTextMapPropagator()
_VALID = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""What we pass on unread: a header from outside may hold anything."""
_provider: TracerProvider | None = None
_tracer: Tracer | None = None
_share = 0.0
_derived: ContextVar[UUID | None] = ContextVar("derived", default=None)


def start(settings: Settings, service: str) -> None:
    """Record spans of this process as `service`. Once per process; connects to nothing before there is a span."""
    global _provider, _tracer, _share
    if settings.trace_share == 0:
        return  # every span costs two microseconds then, and the SDK no memory
    from infra.observability.exporters import make_provider

    _share = settings.trace_share
    _provider = make_provider(settings, service, _derived.get)
    _tracer = _provider.get_tracer("copydesk")


def stop() -> None:
    """Export what is left."""
    global _provider, _tracer, _share
    if _provider is not None:
        _provider.shutdown()
    _provider, _tracer, _share = None, None, 0.0


@contextmanager
def span(name: str, parent: str = "", **attributes: Value) -> Iterator[str]:
    """Do something inside a span; yields the traceparent that its messages carry on.

    `parent` is the traceparent of a received message; without one the span around this one is the parent. An exception
    marks the span as failed and goes on its way.
    """
    if _tracer is None:
        yield parent if _VALID.fullmatch(parent) else _made_up()
        return
    context = _W3C.extract({"traceparent": parent}) if parent else None
    # a failed span says why; the stack trace is in the log or in the dead letter's headers, once and not with every try
    with _tracer.start_as_current_span(name, context=context, attributes=attributes, record_exception=False):
        yield current()


def note(**attributes: Value) -> None:
    """Say more about the span that is under way here."""
    trace.get_current_span().set_attributes(attributes)


def current() -> str:
    """The traceparent of the span that is under way here; empty if there is none."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent", "")


def begun(event_id: UUID) -> str:
    """The traceparent of the first span of an article event's trace, whether it is recorded yet or not."""
    return inject(_root(event_id))


def first(name: str, event_id: UUID, began: datetime, ended: datetime, **attributes: Value) -> None:
    """Record the first span of an article event's trace, once it is over."""
    if _tracer is None:
        return
    token = _derived.set(event_id)
    try:
        begun_span: Span = _tracer.start_span(
            name, context=Context(), attributes=attributes, start_time=_nanoseconds(began)
        )
    finally:
        _derived.reset(token)
    begun_span.end(_nanoseconds(ended))


def trace_id_of(event_id: UUID) -> int:
    """The id of an article event's trace. Hashed: sampling wants bits that are all random, a UUID's are not."""
    return int.from_bytes(sha256(event_id.bytes).digest()[:16])


def root_span_id_of(event_id: UUID) -> int:
    """The id of the first span of an article event's trace."""
    return int.from_bytes(sha256(event_id.bytes).digest()[16:24])


def inject(context: SpanContext) -> str:
    """A span's place as a traceparent."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(NonRecordingSpan(context), Context()))
    return carrier.get("traceparent", "")


def _root(event_id: UUID) -> SpanContext:
    trace_id = trace_id_of(event_id)
    taken = (trace_id & 0xFFFF_FFFF_FFFF_FFFF) < round(_share * 2**64)  # as the SDK's TraceIdRatioBased decides
    flags = TraceFlags(TraceFlags.SAMPLED if taken else TraceFlags.DEFAULT)
    return SpanContext(trace_id, root_span_id_of(event_id), is_remote=True, trace_flags=flags)


def _made_up() -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def _nanoseconds(time: datetime) -> int:
    return round(time.timestamp() * 1e6) * 1000
