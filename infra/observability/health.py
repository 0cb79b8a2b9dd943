"""`/metrics`, `/livez` and `/readyz` of a process, answered from a thread of its own.

Live: the process does its work or will by itself; if not, it has to be started again. Ready: it can take work now. The
answer is 200 `ok`, or 503 with the reason in words.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from infra.observability import metrics
from infra.settings import LOOPBACK
from schemas.errors import Invalid

log = logging.getLogger(__name__)

Probe = Callable[[], str | None]
"""None if all is well, else why not, in words. Called from another thread, must not block for long."""


class Condition:
    """How a process that is no stream worker is: `beat` often, and say what stands in the way of `what`, until it does
    not. Thread-safe; `live` and `ready` are probes.
    """

    def __init__(self, *, silence_s: float, starting: str) -> None:
        self._silence_s = silence_s
        self._troubles = {"starting": starting}
        self._beat = time.monotonic()

    def beat(self) -> None:
        """The process' main loop has come round."""
        self._beat = time.monotonic()

    def started(self) -> None:
        """What had to be done before the first piece of work is done."""
        self.settled("starting")

    def trouble(self, what: str, reason: object) -> None:
        """Something stands in the way for now."""
        self._troubles[what] = str(reason)

    def settled(self, what: str) -> None:
        """It no longer does; harmless if it never did."""
        self._troubles.pop(what, None)

    def live(self) -> str | None:
        silent_s = time.monotonic() - self._beat
        return f"the main loop has not come round for {silent_s:.0f} s" if silent_s > self._silence_s else None

    def ready(self) -> str | None:
        return self.live() or "; ".join(dict.fromkeys(self._troubles.copy().values())) or None


class Health:
    """A running answerer; `port` is the one it listens on."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self.port: int = server.server_address[1]
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def serve(port: int, *, live: Probe, ready: Probe, host: str = LOOPBACK) -> Health | None:
    """Answer on `port` until the process ends; 0: nobody listens, None. Raises `Invalid` if the port is taken."""
    metrics.READY.set_function(lambda: 0.0 if _asked(ready) else 1.0)
    if port == 0:
        return None

    probes = {"/livez": live, "/readyz": ready}
    try:
        server = ThreadingHTTPServer((host, port), partial(_Answers, probes))
    except OSError as error:
        raise Invalid(
            f"cannot answer for metrics and health on {host}:{port} ({error.strerror}): set COPYDESK_METRICS_PORT to a"
            " free port, or to 0 for none"
        ) from error
    server.daemon_threads = True
    return Health(server)


def answer(path: str, probes: dict[str, Probe]) -> tuple[int, str, bytes]:
    """Status, content type and body for a path."""
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY)
    if path not in probes:
        return 404, "text/plain; charset=utf-8", b"there are /metrics, /livez and /readyz\n"
    reason = _asked(probes[path])
    return 503 if reason else 200, "text/plain; charset=utf-8", f"{reason or 'ok'}\n".encode()


def _asked(probe: Probe) -> str | None:
    try:
        return probe()
    except Exception as error:  # who cannot say how it is, is not well
        return f"{type(error).__name__}: {error}"


class _Answers(BaseHTTPRequestHandler):
    server_version = "copydesk"
    sys_version = ""
    timeout = 10

    def __init__(self, probes: dict[str, Probe], *connection: Any) -> None:
        self._probes = probes
        super().__init__(*connection)  # answers the request: everything must be in place before

    def do_GET(self) -> None:
        status, kind, body = answer(self.path.partition("?")[0], self._probes)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form: str, *arguments: object) -> None:
        log.debug(form, *arguments)
