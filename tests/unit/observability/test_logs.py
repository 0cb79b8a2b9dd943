"""Log lines for people and for machines, and what they say about the message at hand."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.observability import logs, tracing
from infra.settings import Settings

log = logging.getLogger("copydesk.test")


@pytest.fixture(autouse=True)
def root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_text_says_time_worker_level_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("scorer")
    log.info("7 titles judged")
    (line,) = lines(capsys)
    assert line.endswith(" scorer INFO 7 titles judged")


def test_a_line_about_a_message_says_which_one_in_either_format(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("scorer", "json")
    with logs.handling(topic="titles", partition=3, offset=14), logs.handling(event_id="e-1"):
        log.warning("no luck")
    logs.setup("scorer", "text")
    with logs.handling(topic="titles", partition=3, offset=14):
        log.warning("no luck")
    log.warning("something else")

    as_json, as_text, after = lines(capsys)
    assert json.loads(as_json) == {
        "time": json.loads(as_json)["time"],
        "level": "WARNING",
        "worker": "scorer",
        "logger": "copydesk.test",
        "message": "no luck",
        "topic": "titles",
        "partition": 3,
        "offset": 14,
        "event_id": "e-1",
    }
    assert as_text.endswith("no luck [topic=titles partition=3 offset=14]")
    assert after.endswith("something else")


def test_a_line_inside_a_span_says_which_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tracing.start(Settings(home=tmp_path), "scorer")
    logs.setup("scorer", "json")
    with tracing.span("scorer titles") as traceparent:
        log.info("here")
    tracing.stop()
    assert json.loads(lines(capsys)[0])["trace_id"] == traceparent.split("-")[1]


async def test_messages_handled_at_once_do_not_lend_each_other_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("scorer", "json")

    async def handle(offset: int) -> None:
        with logs.handling(offset=offset):
            await asyncio.sleep(0.01)
            log.info("message %d", offset)

    await asyncio.gather(*(handle(offset) for offset in range(5)))

    found = [json.loads(line) for line in lines(capsys)]
    assert {line["message"]: line["offset"] for line in found} == {f"message {n}": n for n in range(5)}


def test_a_traceback_stays_within_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("scorer", "json")
    try:
        raise ValueError("a\nb")
    except ValueError:
        log.exception("defect\nwith a line break")
    (line,) = lines(capsys)
    assert json.loads(line)["exception"].endswith("ValueError: a\nb")
