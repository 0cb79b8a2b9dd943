"""Partitions move to another worker while handlers are at work. Faust as it comes forgets first and commits then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.envelope import Envelope
from schemas.errors import Unavailable
from tests.samples import make_article
from tests.stream.harness import FIRST, Bench, arrive, until
from workers import stream as stream_module
from workers.window import Outlet


class Hold:
    """A handler that keeps every message until it is let go; `down` makes it wait for a model server instead."""

    def __init__(self) -> None:
        self.held: dict[str, asyncio.Event] = {}
        self.down = False

    async def handle(self, envelope: Envelope, _: Outlet) -> None:
        if self.down:
            raise Unavailable("the model server is away")
        await self.held.setdefault(envelope.event.key, asyncio.Event()).wait()

    def let(self, *numbers: int) -> None:
        for number in numbers:
            self.held.setdefault(make_article(number).key, asyncio.Event()).set()


@pytest.fixture
def hold() -> Hold:
    return Hold()


@pytest.fixture
async def bench(tmp_path: Path, hold: Hold) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path, hold.handle)
    await bench.start(committed=10)
    yield bench
    bench.window.close()
    hold.let(*range(20))
    await bench.stop()


async def test_what_is_at_work_is_finished_and_committed_before_partitions_move(bench: Bench, hold: Hold) -> None:
    await arrive(bench, 10, 11)
    await until(lambda: len(bench.window.at_work) == 2)
    moving = asyncio.create_task(bench.consumer.on_partitions_revoked({FIRST}))
    await asyncio.sleep(0.02)
    assert not moving.done()
    hold.let(10, 11)
    await moving
    assert bench.thread.commits == [12], "whoever has the partition next would do both again"


async def test_what_takes_too_long_is_left_to_the_next_owner_and_its_late_end_counts_for_nothing(
    bench: Bench, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "DRAIN_S", 0.02)
    await arrive(bench, 10, 11)
    await until(lambda: len(bench.window.at_work) == 2)
    hold.let(10)
    await until(lambda: bench.window.done == 1)
    await bench.consumer.on_partitions_revoked({FIRST})
    assert bench.thread.commits == [11]
    bench.consumer._committed_offset[FIRST] = 11  # the partition comes back, as a fetch of the committed offset has it
    hold.let(11)
    await until(lambda: bench.window.done == 2)
    assert await bench.commits() == [11], "11 has come again by now, and that one is not done"


async def test_what_was_left_to_the_next_owner_does_not_hold_up_what_comes_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, hold: Hold
) -> None:
    monkeypatch.setattr(stream_module, "DRAIN_S", 0.02)
    await arrive(bench, 10)
    await until(lambda: len(bench.window.at_work) == 1)
    await bench.consumer.on_partitions_revoked({FIRST})
    bench.consumer._committed_offset[FIRST] = 15  # somebody else has done 10 to 14, and the partition is ours again
    bench.app.flow_control.resume()
    hold.let(15)
    await arrive(bench, 15)
    await until(lambda: bench.window.done == 1)
    assert await bench.commits() == [16]


async def test_a_message_that_waits_for_a_server_that_is_down_does_not_hold_up_the_group(
    bench: Bench, hold: Hold
) -> None:
    hold.down = True
    await arrive(bench, 10)
    await until(lambda: bench.window.in_hand == 1 and not bench.window.at_work)
    async with asyncio.timeout(2):
        await bench.consumer.on_partitions_revoked({FIRST})
    assert bench.thread.commits == []
