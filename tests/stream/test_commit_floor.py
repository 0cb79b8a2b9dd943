"""What would be committed, when. Faust as it comes fails every one of these."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.envelope import Envelope
from schemas.errors import Unavailable
from tests.samples import make_article
from tests.stream.harness import FIRST, Bench, arrive, until
from workers.window import Outlet


class Gates:
    """A handler that holds an article back until its number is let through."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.open: set[str] = set()
        self.changed = asyncio.Event()
        self.down = False

    async def handle(self, envelope: Envelope, _: Outlet) -> None:
        if self.down:
            raise Unavailable("the model server is away")
        number = str(envelope.event.key)
        self.begun.append(number)
        while number not in self.open:
            self.changed.clear()
            await self.changed.wait()

    def let(self, *offsets: int) -> None:
        self.open |= {make_article(offset).key for offset in offsets}
        self.changed.set()


@pytest.fixture
def gates() -> Gates:
    return Gates()


@pytest.fixture
async def bench(tmp_path: Path, gates: Gates) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path, gates.handle)
    yield bench
    bench.window.close()
    gates.let(*range(100))
    await bench.stop()


async def test_nothing_is_committed_while_a_message_is_in_hand(bench: Bench, gates: Gates) -> None:
    await bench.start(committed=10)
    await arrive(bench, 10)
    await until(lambda: gates.begun)
    gc.collect()
    assert await bench.commits() == []
    gates.let(10)
    await until(lambda: bench.window.done == 1)
    assert await bench.commits() == [11]


async def test_later_messages_are_not_committed_past_one_in_hand(bench: Bench, gates: Gates) -> None:
    await bench.start(committed=10)
    await arrive(bench, 10, 11, 12)
    gates.let(11, 12)
    await until(lambda: bench.window.done == 2)
    assert await bench.commits() == []
    gates.let(10)
    await until(lambda: bench.window.done == 3)
    assert await bench.commits() == [13]


async def test_a_new_group_commits_nothing_past_its_first_messages(bench: Bench, gates: Gates) -> None:
    await bench.start()
    await arrive(bench, 0, 1, 2, 3, 4)
    gates.let(2, 3, 4)
    await until(lambda: bench.window.done == 3)
    assert await bench.commits() == []
    gates.let(0, 1)
    await until(lambda: bench.window.done == 5)
    assert await bench.commits() == [5]


async def test_what_is_done_below_the_floor_is_committed_at_once(bench: Bench, gates: Gates) -> None:
    await bench.start(committed=10)
    await arrive(bench, 10, 11, 12, 13)
    gates.let(10, 11, 13)
    await until(lambda: bench.window.done == 3)
    assert await bench.commits() == [12]


async def test_an_undecodable_message_is_buried_before_it_is_committed(bench: Bench) -> None:
    await bench.start(committed=10)
    await bench.deliver(10, b"{broken", ())
    await until(lambda: bench.window.done == 1)
    assert bench.streams.letters == [b"{broken"]
    assert await bench.commits() == [11]


async def test_no_more_messages_are_in_hand_than_the_window_takes(tmp_path: Path, gates: Gates) -> None:
    bench = Bench(tmp_path, gates.handle, size=2)
    await bench.start(committed=0)
    await arrive(bench, *range(6))
    await until(lambda: len(gates.begun) == 2)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(gates.begun) == 2
    gates.let(*range(6))
    await until(lambda: bench.window.done == 6)
    await bench.stop()


async def test_an_acknowledgement_from_before_a_rebalance_counts_for_nothing(bench: Bench, gates: Gates) -> None:
    await bench.start(committed=10)
    await arrive(bench, 10, 11)
    await until(lambda: len(gates.begun) == 2)
    stale = bench.consumer._stale
    stale.update(bench.consumer._unacked_messages)  # as `on_partitions_revoked` does
    bench.consumer._unacked_messages.clear()
    gates.let(11)
    await until(lambda: bench.window.done == 1)
    assert await bench.commits() == [], "10 would be lost: it has not come again yet, and only 11 was acknowledged"


async def test_what_waits_for_a_server_that_is_down_stays_uncommitted_when_the_worker_stops(
    bench: Bench, gates: Gates
) -> None:
    gates.down = True
    await bench.start(committed=10)
    await arrive(bench, 10, 11)
    await until(lambda: bench.window.in_hand == 2 and not bench.window.at_work)
    bench.window.close()
    await until(lambda: bench.window.in_hand == 0)
    gc.collect()
    await bench.consumer.wait_empty()
    assert bench.thread.commits == []


async def test_a_stop_waits_for_handlers_at_work_and_commits_their_messages(bench: Bench, gates: Gates) -> None:
    await bench.start(committed=10)
    await arrive(bench, 10)
    await until(lambda: gates.begun)
    bench.window.close()
    emptying = asyncio.create_task(bench.consumer.wait_empty())
    await asyncio.sleep(0)
    gates.let(10)
    await emptying
    assert bench.thread.commits == [11]
    assert bench.consumer._committed_offset[FIRST] == 11
