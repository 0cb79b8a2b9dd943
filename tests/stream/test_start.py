"""A broker that vanishes while a worker starts: consumer and producer go on asking, each time with a new client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.stream.harness import Bench
from workers.window import Outlet


async def _handle(_: object, __: Outlet) -> None:
    return None


async def clients_made(start: Callable[[], Coroutine[Any, Any, None]], client: Callable[[], Any]) -> set[int]:
    """Which clients there were until two had failed; fails if starting ends before that."""
    seen: dict[int, Any] = {}
    starting = asyncio.create_task(start())
    async with asyncio.timeout(15):
        while len(seen) < 3:
            await asyncio.sleep(0.02)
            assert not starting.done(), starting.exception()
            if client() is not None:
                seen[id(client())] = client()
    starting.cancel()
    await asyncio.wait({starting})
    await client().stop()
    assert [each._closed for each in seen.values()] == [True] * 3
    return set(seen)


async def test_the_producer_waits_for_a_broker_that_has_vanished(tmp_path: Path) -> None:
    bench = Bench(tmp_path, _handle)
    producer: Any = bench.app.producer
    assert len(await clients_made(producer.on_start, lambda: producer._producer)) == 3
    bench.close_thread()


async def test_the_consumers_thread_waits_for_a_broker_that_has_vanished(tmp_path: Path) -> None:
    thread = Bench(tmp_path, _handle).consumer._thread
    found = clients_made(thread.on_start, lambda: thread._consumer)
    assert len(await asyncio.to_thread(thread.thread_loop.run_until_complete, found)) == 3
    thread.thread_loop.close()
