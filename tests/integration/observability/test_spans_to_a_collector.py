"""Spans over OTLP/HTTP to a collector that listens, and to one that does not; health over a real socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from infra.observability import health, tracing
from infra.settings import LOOPBACK, Settings
from schemas.errors import Invalid
from tests.ground import free_ports, wait_until
from tests.samples import make_article

STOP_S = 15.0
"""A worker that stops must not wait much longer than this for its collector."""


class Collector(ThreadingHTTPServer):
    """Keeps what it is sent, as any OpenTelemetry collector would read it."""

    def __init__(self) -> None:
        super().__init__((LOOPBACK, free_ports()), _Receives)
        self.received: list[ExportTraceServiceRequest] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.server_address[1]}"


class _Receives(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture(autouse=True)
def nothing_started() -> Iterator[None]:
    yield
    tracing.stop()


def test_a_collector_gets_the_spans_with_their_trace_parent_and_worker(tmp_path: Path, collector: Collector) -> None:
    article = make_article()
    tracing.start(Settings(home=tmp_path, trace_endpoint=collector.address), "scorer")
    with tracing.span("scorer titles", tracing.begun(article.event_id), topic="titles"):
        pass
    wait_until(lambda: collector.received, 10)

    (resource,) = collector.received[0].resource_spans
    (span,) = resource.scope_spans[0].spans
    assert span.name == "scorer titles"
    assert int.from_bytes(span.trace_id) == tracing.trace_id_of(article.event_id)
    assert int.from_bytes(span.parent_span_id) == tracing.root_span_id_of(article.event_id)
    assert {(each.key, each.value.string_value) for each in resource.resource.attributes} == {
        ("service.name", "copydesk-scorer")
    }
    assert not list(tmp_path.rglob("*.jsonl")), "a collector takes the place of the files"


def test_a_collector_that_is_away_holds_up_neither_the_work_nor_the_stop(tmp_path: Path) -> None:
    tracing.start(Settings(home=tmp_path, trace_endpoint=f"http://{LOOPBACK}:{free_ports()}"), "scorer")
    began = time.monotonic()
    for _ in range(100):
        with tracing.span("scorer titles"):
            pass
    worked = time.monotonic()
    tracing.stop()

    assert worked - began < 1.0
    assert time.monotonic() - worked < STOP_S


def test_health_is_answered_over_http_and_a_taken_port_is_a_sentence() -> None:
    reasons: list[str | None] = ["the model loads"]
    port = free_ports()
    answering = health.serve(port, live=lambda: None, ready=lambda: reasons[-1])
    assert answering is not None
    assert answering.port == port
    base = f"http://{LOOPBACK}:{port}"
    try:
        assert (httpx.get(f"{base}/readyz").status_code, httpx.get(f"{base}/readyz").text) == (503, "the model loads\n")
        reasons.append(None)
        assert httpx.get(f"{base}/readyz").status_code == httpx.get(f"{base}/livez").status_code == 200
        assert "copydesk_ready 1.0" in httpx.get(f"{base}/metrics?name=x").text
        with pytest.raises(Invalid, match=f"{port}.*COPYDESK_METRICS_PORT"):
            health.serve(port, live=lambda: None, ready=lambda: None)
    finally:
        answering.close()
    with socket.socket() as link:
        assert link.connect_ex((LOOPBACK, port)) != 0
