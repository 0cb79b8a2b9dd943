"""Reads the spans that workers without a collector left in the data folder (`exporters.FileExporter` writes them)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Span:
    """One span as it was written. `key` is the message key of the event at hand: the article's id; empty for spans
    inside others. `parent_id` is empty for the first of a trace. `failed` says why, if it failed."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    worker: str
    began: datetime
    ended: datetime
    failed: str
    attributes: dict[str, str | int | float | bool]

    @property
    def key(self) -> str:
        return str(self.attributes.get("key", ""))

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds()


def folder(home: Path) -> Path:
    """Where the files of a data folder are."""
    return home / "traces"


def traces_of(home: Path, article: str) -> dict[str, list[Span]]:
    """All spans of the traces in which a message key begins with `article`, by trace id, oldest trace first.

    A span that was written twice (its message came twice within the span's own process) counts once.
    """
    wanted = {span.trace_id for span in _spans(home, article) if span.key.startswith(article)}
    found: dict[str, dict[str, Span]] = {}
    for span in _spans(home, *wanted):
        if span.trace_id in wanted:
            found.setdefault(span.trace_id, {})[span.span_id] = span
    by_time = (sorted(spans.values(), key=lambda span: span.began) for spans in found.values())
    return {spans[0].trace_id: spans for spans in sorted(by_time, key=lambda spans: spans[0].began)}


def _spans(home: Path, *words: str) -> Iterator[Span]:
    """Spans whose line holds one of the words: only those are worth parsing."""
    for path in sorted(folder(home).glob("*.jsonl")):
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if any(word in line for word in words) and (span := _parsed(line)):
                    yield span


def _parsed(line: str) -> Span | None:
    """None for a line that a process could not finish writing."""
    try:
        raw = json.loads(line)
        return Span(
            trace_id=raw["context"]["trace_id"].removeprefix("0x"),
            span_id=raw["context"]["span_id"].removeprefix("0x"),
            parent_id=(raw["parent_id"] or "").removeprefix("0x"),
            name=raw["name"],
            worker=raw["resource"]["attributes"]["service.name"].removeprefix("copydesk-"),
            began=datetime.fromisoformat(raw["start_time"]),
            ended=datetime.fromisoformat(raw["end_time"]),
            failed=raw["status"].get("description", "") if raw["status"]["status_code"] == "ERROR" else "",
            attributes=raw["attributes"],
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
