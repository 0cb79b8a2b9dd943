"""Where spans go: to a collector over OTLP/HTTP, or into files in the data folder, which stay within a set size."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from infra.observability import tracing
from infra.observability.trace_files import folder
from infra.settings import Settings

EVERY_MS = 1_000
"""A process that is killed loses the spans of this last while; nothing else."""
log = logging.getLogger(__name__)


def make_provider(settings: Settings, service: str, derived_from: Callable[[], UUID | None]) -> TracerProvider:
    """The SDK's provider. `derived_from` names the article event whose trace the next span begins, if it is one."""
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.trace_share)),
        resource=Resource({"service.name": f"copydesk-{service}"}),
        id_generator=_Ids(derived_from),
        span_limits=SpanLimits(max_attributes=32, max_events=8, max_attribute_length=1_000),
        shutdown_on_exit=True,
    )
    exporter = _exporter(settings, service)
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EVERY_MS))
    return provider


def _exporter(settings: Settings, service: str) -> SpanExporter | None:
    if settings.trace_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=f"{settings.trace_endpoint.rstrip('/')}/v1/traces", timeout=10)
    if settings.trace_file_mb:
        return FileExporter(folder(settings.home) / f"{service}.jsonl", settings.trace_file_mb * 1024 * 1024)
    return None


class _Ids(RandomIdGenerator):
    """Random ids, but for the first span of an article's trace."""

    def __init__(self, derived_from: Callable[[], UUID | None]) -> None:
        self._derived_from = derived_from

    def generate_trace_id(self) -> int:
        event_id = self._derived_from()
        return tracing.trace_id_of(event_id) if event_id else super().generate_trace_id()

    def generate_span_id(self) -> int:
        event_id = self._derived_from()
        return tracing.root_span_id_of(event_id) if event_id else super().generate_span_id()


class FileExporter(SpanExporter):
    """Spans as JSON lines, the SDK's own form of them; the file and the one before it share `limit` bytes.

    Several processes may write to one file: each batch is one append under a lock.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._quiet = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        lines = "".join(f"{span.to_json(indent=None)}\n" for span in spans).encode()
        try:
            self._append(lines)
        except OSError as error:  # a full disk must not stop a worker for the sake of its traces
            if not self._quiet:
                log.warning("spans are lost: %s: %s", self._path, error.strerror)
            self._quiet = True
            return SpanExportResult.FAILURE
        self._quiet = False
        return SpanExportResult.SUCCESS

    def _append(self, lines: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._path.exists() and self._path.stat().st_size + len(lines) > self._limit // 2:
                self._path.replace(self._path.with_suffix(".old.jsonl"))
            with self._path.open("ab") as file:
                file.write(lines)
