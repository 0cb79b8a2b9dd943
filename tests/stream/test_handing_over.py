"""How a message goes from the consumer to its lane: at once while there is room, else as Faust does it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.stream.harness import FIRST, Bench
from workers.window import Outlet


async def _handle(_: object, __: Outlet) -> None:
    return None


@pytest.fixture
async def consumer(tmp_path: Path) -> Any:
    bench = Bench(tmp_path, _handle)
    bench.close_thread()
    return bench.consumer


async def test_where_there_is_room_no_task_is_made(consumer: Any) -> None:
    handed_over = []

    async def hand_over() -> None:
        handed_over.append(asyncio.current_task())

    await consumer.wait_first(hand_over(), asyncio.Event().wait())
    assert handed_over == [asyncio.current_task()]


async def test_where_there_is_none_it_is_waited_for(consumer: Any) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
    queue.put_nowait(1)

    async def hand_over() -> None:
        for number in (2, 3):
            await queue.put(number)

    waiting = asyncio.create_task(consumer.wait_first(hand_over(), asyncio.Event().wait()))
    assert [await queue.get() for _ in range(3)] == [1, 2, 3]
    async with asyncio.timeout(5):
        await waiting


async def test_a_message_that_nobody_wants_any_more_is_not_handed_over(consumer: Any) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
    queue.put_nowait(1)
    suspended, ended = asyncio.Event(), list[type[BaseException]]()

    async def hand_over() -> None:
        try:
            await queue.put(2)
        except BaseException as error:
            ended.append(type(error))
            raise

    waiting = asyncio.create_task(consumer.wait_first(hand_over(), suspended.wait()))
    await asyncio.sleep(0.01)
    suspended.set()
    async with asyncio.timeout(5):
        await waiting
    await asyncio.sleep(0)
    assert ended == [asyncio.CancelledError]
    assert queue.get_nowait() == 1
    await asyncio.sleep(0.01)
    assert queue.empty(), "it is read again after the rebalance: now it would come twice"


@pytest.mark.parametrize("waits", [0, 3])
async def test_what_goes_wrong_on_the_way_is_raised(consumer: Any, waits: int) -> None:
    async def hand_over() -> None:
        for _ in range(waits):
            await asyncio.sleep(0)
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        await consumer.wait_first(hand_over(), asyncio.Event().wait())


async def test_a_consumer_whose_queue_was_full_goes_on_as_soon_as_there_is_room(consumer: Any) -> None:
    asked: list[set[Any]] = []

    async def getmany(active_partitions: set[Any], timeout: float) -> dict[Any, Any]:
        asked.append(set(active_partitions))
        return {}

    consumer._getmany = getmany
    consumer._set_active_tps({FIRST})
    consumer.on_buffer_full(FIRST)
    began = time.monotonic()
    waiting = asyncio.create_task(consumer._wait_next_records(timeout=30.0))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    consumer.on_buffer_drop(FIRST)
    await waiting
    assert asked == [{FIRST}]
    assert time.monotonic() - began < 0.9, "Faust would have slept for a second"
