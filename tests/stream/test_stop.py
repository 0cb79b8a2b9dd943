"""A worker stops: what is at work is finished, what waits is put back at once, and no commit passes that."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.envelope import Envelope
from schemas.errors import Transient, Unavailable
from tests.samples import make_article
from tests.stream.harness import Bench, arrive, until
from workers import outage as outage_module
from workers.window import Outlet

WAITING = {make_article(10).key, make_article(20).key}


class Desk:
    """A handler whose messages 10 and 20 meet `trouble`; any other takes until it is let go."""

    def __init__(self) -> None:
        self.trouble: Exception = Unavailable("the model server is away")
        self.go = asyncio.Event()

    async def handle(self, envelope: Envelope, _: Outlet) -> None:
        if envelope.event.key in WAITING:
            raise self.trouble
        await self.go.wait()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def bench(tmp_path: Path, desk: Desk) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path, desk.handle)
    await bench.start(committed=10)
    yield bench
    bench.window.close()
    desk.go.set()
    await bench.stop()


async def test_what_is_finished_while_stopping_is_not_committed_past_what_was_put_back(
    bench: Bench, desk: Desk
) -> None:
    await arrive(bench, 11)  # at work before anything is away
    await until(lambda: bench.window.at_work)
    await arrive(bench, 10)
    await until(lambda: bench.window.outage.reason)
    await arrive(bench, 12)  # Faust itself holds on to the last message, whatever becomes of it
    await until(lambda: bench.window.in_hand == 3)
    bench.window.close()
    await until(lambda: bench.window.in_hand == 1)
    gc.collect()
    desk.go.set()
    await until(lambda: bench.window.done == 1)
    gc.collect()
    assert await bench.commits() == [], "10 would be lost: it was put back, only 11 is done"


@pytest.mark.parametrize("trouble", [Transient("nonsense"), Unavailable("away")])
async def test_what_waits_between_two_tries_is_put_back_without_waiting_longer(
    bench: Bench, desk: Desk, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage_module, "FIRST_PAUSE_S", 60.0)
    monkeypatch.setattr(outage_module, "LONGEST_PAUSE_S", 60.0)
    desk.trouble = trouble
    await arrive(bench, 10)
    await until(lambda: bench.window.in_hand == 1 and not bench.window.at_work)
    bench.window.close()
    await until(lambda: bench.window.in_hand == 0)
    assert await bench.commits() == []


async def test_a_crowd_that_waits_for_a_server_is_put_back_without_waiting_longer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage_module, "FIRST_PAUSE_S", 60.0)
    monkeypatch.setattr(outage_module, "LONGEST_PAUSE_S", 60.0)
    await arrive(bench, 10)
    await until(lambda: bench.window.outage.lasting)
    await arrive(bench, 20, 21, 22)  # one of them will ask next, the others wait behind it
    await until(lambda: bench.window.outage.waiting == 3)
    bench.window.close()
    await until(lambda: bench.window.in_hand == 0)
    assert await bench.commits() == []


async def test_what_nobody_can_read_is_buried_while_all_wait_for_a_server_and_does_not_call_them_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage_module, "FIRST_PAUSE_S", 60.0)
    monkeypatch.setattr(outage_module, "LONGEST_PAUSE_S", 60.0)
    await arrive(bench, 10)
    await until(lambda: bench.window.outage.lasting)
    await bench.deliver(11, b"{broken", ())
    await until(lambda: bench.window.done == 1)
    assert bench.streams.letters == [b"{broken"]
    assert bench.window.outage.lasting, "that says nothing about the server"
