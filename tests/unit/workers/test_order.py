from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from contextlib import suppress

import pytest

from workers.order import Order, PutBack


async def steps(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_message_waits_for_the_one_before_it_with_the_same_key() -> None:
    order, begun, release = Order(), [], asyncio.Event()

    async def handle(number: int) -> None:
        async with order.turn("articles", b"a"):
            begun.append(number)
            await release.wait()

    tasks = [asyncio.create_task(handle(number)) for number in range(3)]
    await steps()
    assert begun == [0]
    release.set()
    await asyncio.gather(*tasks)
    assert begun == [0, 1, 2]


@pytest.mark.parametrize(("topic", "key"), [("articles", b"b"), ("titles", b"a")])
async def test_another_key_or_topic_does_not_wait(topic: str, key: bytes) -> None:
    order = Order()
    async with order.turn("articles", b"a"), asyncio.timeout(5), order.turn(topic, key):
        pass


async def test_what_follows_a_message_that_was_put_back_is_put_back_as_far_as_it_goes() -> None:
    order, release = Order(), asyncio.Event()

    async def first() -> None:
        async with order.turn("articles", b"a"):
            await release.wait()
            raise PutBack

    async def follow() -> None:
        async with order.turn("articles", b"a"):
            raise AssertionError("it has overtaken the one that was put back")

    tasks = [asyncio.create_task(work) for work in (first(), follow(), follow())]
    await steps()
    release.set()
    assert [type(outcome) for outcome in await asyncio.gather(*tasks, return_exceptions=True)] == [PutBack] * 3


async def test_keys_that_nobody_holds_are_forgotten() -> None:
    order = Order()
    for number in range(100):
        with suppress(PutBack):
            async with order.turn("articles", str(number).encode()):
                if number % 2:
                    raise PutBack
    assert order._last == {}


async def test_each_key_keeps_its_order_whatever_the_work_takes() -> None:
    order, draw = Order(), random.Random(1)
    seen: defaultdict[bytes, list[int]] = defaultdict(list)

    async def handle(key: bytes, number: int) -> None:
        async with order.turn("articles", key):
            await steps(draw.randrange(6))
            seen[key].append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(300):
            tasks.create_task(handle(draw.choice([b"a", b"b", b"c"]), number))
    assert sum(map(len, seen.values())) == 300
    assert all(numbers == sorted(numbers) for numbers in seen.values())
