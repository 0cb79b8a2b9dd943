"""What the group coordinator has to say is asked for: unasked, aiokafka leaves the group to itself, in silence."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import GroupAuthorizationFailedError

from tests.stream.harness import FIRST, Bench
from workers.window import Outlet


async def _handle(_: object, __: Outlet) -> None:
    return None


async def test_an_error_of_the_group_reaches_the_worker_and_the_coordination_goes_on(tmp_path: Path) -> None:
    coordinator: Any = GroupCoordinator.__new__(GroupCoordinator)  # its own methods, without a client below
    coordinator._subscription = SubscriptionState()
    coordinator._subscription.register_fetch_waiters(set())
    coordinator._closing = asyncio.get_running_loop().create_future()
    coordinator._pending_exception = None
    went_on = asyncio.Event()

    async def coordinate() -> None:
        await coordinator._push_error_to_user(GroupAuthorizationFailedError("copydesk.bench"))
        went_on.set()
        await asyncio.Event().wait()

    coordinator._coordination_task = asyncio.create_task(coordinate())
    await asyncio.sleep(0)
    bench = Bench(tmp_path, _handle)
    bench.consumer.stop_flow()  # it asks, then fetches nothing
    thread, client = bench.consumer._thread, SimpleNamespace(_coordinator=coordinator)
    try:
        with pytest.raises(GroupAuthorizationFailedError):
            await thread._fetch_records(client, {FIRST})
        async with asyncio.timeout(1):
            await went_on.wait()
        assert await thread._fetch_records(client, {FIRST}) == {}, "said once is enough"
    finally:
        coordinator._coordination_task.cancel()
        bench.close_thread()
