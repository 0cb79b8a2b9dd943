from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from workers.scorer.batcher import Batcher


class Model:
    """Doubles numbers, remembers its batches, and waits at the gate."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()

    def work(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.started.set()
        assert self.gate.wait(10)
        if 13 in items:
            raise RuntimeError("thirteen")
        return [2 * item for item in items]


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def test_what_waits_while_a_batch_is_at_work_is_the_next_batch(executor: ThreadPoolExecutor) -> None:
    model = Model()
    model.gate.clear()
    batcher = Batcher(model.work, executor, most=32)

    first = asyncio.create_task(batcher.submit(1))
    assert await asyncio.to_thread(model.started.wait, 10)
    others = [asyncio.create_task(batcher.submit(number)) for number in range(2, 6)]
    await asyncio.sleep(0)
    model.gate.set()

    assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10]
    assert model.batches == [[1], [2, 3, 4, 5]]


async def test_a_batch_has_at_most_so_many_items(executor: ThreadPoolExecutor) -> None:
    model = Model()
    batcher = Batcher(model.work, executor, most=3)

    results = await asyncio.gather(*(batcher.submit(number) for number in range(8)))

    assert results == [2 * number for number in range(8)]
    assert [len(batch) for batch in model.batches] == [3, 3, 2]


async def test_trouble_is_raised_to_its_batch_and_the_next_one_works(executor: ThreadPoolExecutor) -> None:
    model = Model()
    batcher = Batcher(model.work, executor, most=2)

    outcomes = await asyncio.gather(*(batcher.submit(number) for number in (1, 13, 3)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [RuntimeError, RuntimeError, int]


async def test_a_cancelled_caller_leaves_the_others_alone(executor: ThreadPoolExecutor) -> None:
    model = Model()
    batcher = Batcher(model.work, executor, most=8)
    tasks = [asyncio.create_task(batcher.submit(number)) for number in (1, 2)]
    await asyncio.sleep(0)

    tasks[0].cancel()

    assert await tasks[1] == 4
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
