"""Both kinds of producer are idempotent, as the broker sees it; that includes asking all in-sync replicas.

Either client refuses to start when it should be idempotent and ask for fewer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition

from infra.kafka import client_config, make_producer, send_acked
from infra.settings import Settings
from schemas.envelope import Message
from schemas.topics import ARTICLES, EMBEDDED_PARTITIONS
from workers.sending import Streams
from workers.stream import build_app
from workers.window import Window

MESSAGE = Message(key=b"k", value=b"v", headers=())


async def send_from_a_handler(settings: Settings) -> None:
    app: Any = build_app(
        "test", settings, Window(group="copydesk.test", size=1, max_attempts=1, try_limit_s=60), "test-0"
    )
    try:
        await Streams(app, "test").send_raw(ARTICLES.name, MESSAGE.key, MESSAGE.value, MESSAGE.headers)
    finally:
        await app.producer.stop()
        app.consumer._thread.thread_loop.close()  # open from the start, though it never ran


async def send_from_the_rest_of_the_house(settings: Settings) -> None:
    producer = await asyncio.to_thread(make_producer, settings, "test")
    try:
        await asyncio.to_thread(send_acked, producer, [(ARTICLES, MESSAGE)])
    finally:
        await asyncio.to_thread(producer.close)


@pytest.mark.parametrize("send", [send_from_a_handler, send_from_the_rest_of_the_house])
async def test_the_broker_knows_the_producer_and_would_drop_what_a_retry_brings_twice(
    settings: Settings, send: Callable[[Settings], Awaitable[None]]
) -> None:
    await send(settings)
    admin = KafkaAdminClient(**client_config(settings))
    try:
        everywhere = [TopicPartition(ARTICLES.name, number) for number in range(EMBEDDED_PARTITIONS)]
        states = admin.describe_producers(everywhere)
    finally:
        admin.close()
    assert any(state.active_producers for state in states.values())
