"""A handler that nothing can interrupt: the process ends all the same, and the message is not committed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.kafka import lag, make_producer, send_acked
from infra.settings import Settings
from schemas.envelope import encode
from schemas.topics import ARTICLES
from tests.ground import environment_for, wait_until
from tests.samples import NOW, make_article
from workers.watchdog import EX_STALLED

PATIENCE_S = 90
Start = Callable[[float], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    """Starts the worker on one message and waits until its handler is stuck; kills what still runs in the end."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(handler_timeout_s: float) -> subprocess.Popen[bytes]:
        producer = make_producer(settings, "test")
        send_acked(producer, [(ARTICLES, encode(make_article(), source="test", time=NOW))])
        producer.close()
        environment = environment_for(settings) | {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "COPYDESK_HANDLER_TIMEOUT_S": f"{handler_timeout_s:g}",
        }
        program = str(Path(__file__).with_name("stuck_worker.py"))
        running.append(subprocess.Popen([sys.executable, program], env=environment))
        wait_until((settings.home / "stuck").exists, PATIENCE_S)
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


def test_a_handler_that_nothing_can_interrupt_ends_the_process(settings: Settings, start: Start) -> None:
    assert start(4).wait(PATIENCE_S) == EX_STALLED
    assert lag(settings, "copydesk.stuck", [ARTICLES]) == 1


def test_a_stop_does_not_wait_for_it_for_ever(settings: Settings, start: Start) -> None:
    worker = start(600)
    worker.terminate()
    assert worker.wait(15) == 0
    assert lag(settings, "copydesk.stuck", [ARTICLES]) == 1
