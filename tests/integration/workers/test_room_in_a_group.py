"""Is there a partition for one more? The watchdog asks before it ends a member that has none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from aiokafka import AIOKafkaConsumer

from infra.groups import has_room, members
from infra.settings import Settings
from schemas.errors import Transient
from schemas.topics import ARTICLES, EMBEDDED_PARTITIONS, TITLES
from tests.ground import wait_until

GROUP = "copydesk.room"
Join = Callable[[int], Awaitable[None]]


@pytest.fixture
async def join(settings: Settings) -> AsyncIterator[Join]:
    """Lets so many more members join the group; they leave it in the end."""
    async with AsyncExitStack() as joined:

        async def begin(count: int) -> None:
            ours = [
                AIOKafkaConsumer(ARTICLES.name, bootstrap_servers=settings.bootstrap, group_id=GROUP)
                for _ in range(count)
            ]
            for consumer in ours:
                joined.push_async_callback(consumer.stop)
            await asyncio.gather(*(consumer.start() for consumer in ours))

        yield begin


def has_members(settings: Settings, count: int) -> bool:
    try:
        return len(members(settings, GROUP)) == count
    except Transient:  # a broker that has just started does not know yet who coordinates the group
        return False


async def test_there_is_room_until_each_partition_of_a_topic_has_a_member(settings: Settings, join: Join) -> None:
    async def asked(count: int) -> bool:
        await asyncio.to_thread(wait_until, lambda: has_members(settings, count))
        return await asyncio.to_thread(has_room, settings, GROUP, [ARTICLES, TITLES])

    assert await asked(0)
    await join(EMBEDDED_PARTITIONS - 1)
    assert await asked(EMBEDDED_PARTITIONS - 1)
    await join(1)
    assert not await asked(EMBEDDED_PARTITIONS)
