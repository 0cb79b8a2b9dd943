"""How processes log: one line per record, as text for people or as JSON for machines (`COPYDESK_LOG_FORMAT`).

While a message is handled, each line says which one: event id, topic, partition, offset and the trace it belongs to.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from opentelemetry import trace

Format = Literal["text", "json"]
_about: ContextVar[dict[str, str | int] | None] = ContextVar("about", default=None)


def setup(name: str, form: Format = "text") -> None:
    """Log to standard error as the process `name`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(name) if form == "json" else Text(name))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for client in ("httpx", "httpx2"):
        logging.getLogger(client).setLevel(logging.WARNING)  # a line per request would bury what matters


@contextmanager
def handling(**facts: str | int) -> Iterator[None]:
    """Lines that are logged inside say these facts as well; inner facts join outer ones."""
    token = _about.set({**(_about.get() or {}), **facts})
    try:
        yield
    finally:
        _about.reset(token)


def facts() -> dict[str, str | int]:
    """What lines that are logged here and now say about themselves."""
    span = trace.get_current_span().get_span_context()
    ids: dict[str, str | int] = {"trace_id": f"{span.trace_id:032x}"} if span.is_valid else {}
    return (_about.get() or {}) | ids


class Text(logging.Formatter):
    """`time name LEVEL message`, then what is being handled in brackets."""

    def __init__(self, name: str) -> None:
        super().__init__(f"%(asctime)s {name} %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        about = " ".join(f"{key}={value}" for key, value in facts().items())
        return f"{line} [{about}]" if about else line


class JsonLines(logging.Formatter):
    """One JSON object per line; a traceback is a field of it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str | int] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "worker": self._name,
            "logger": record.name,
            "message": record.getMessage(),
            **facts(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
