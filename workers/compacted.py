"""A compacted topic read as what it is: a desired state that every process knows whole, not a queue to share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from infra.kafka_access import access
from infra.settings import Settings
from schemas.envelope import Envelope, decode
from schemas.errors import Invalid
from schemas.topics import Topic
from workers.header_names import read_any_header_name

RETRY_S = 2.0
log = logging.getLogger(__name__)


async def watch_compacted(
    settings: Settings,
    topic: Topic,
    on_event: Callable[[Envelope], Awaitable[None]],
    on_current: Callable[[], None] | None = None,
) -> None:
    """Read the topic from its beginning, then follow it until cancelled; joins no group and commits nothing.

    `on_current` is called each time everything has been read that was there when reading began. A broken broker
    connection starts the reading again from the beginning, so `on_event` must take the same event twice. What is not an
    event of the topic is skipped with a warning: the worker that reads this topic in a group buries it.
    """
    read_any_header_name()
    while True:
        try:
            await _follow(settings, topic, on_event, on_current)
        except KafkaError as error:
            log.warning("reading %s again in %g s: %s", topic.name, RETRY_S, error)
            await asyncio.sleep(RETRY_S)


async def _follow(
    settings: Settings,
    topic: Topic,
    on_event: Callable[[Envelope], Awaitable[None]],
    on_current: Callable[[], None] | None,
) -> None:
    consumer = AIOKafkaConsumer(
        topic.name,  # without a group a subscription is every partition, asked for by name when it starts
        **access(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        await consumer.start()
        partitions = sorted(consumer.assignment())
        if not partitions:
            raise UnknownTopicOrPartitionError(topic.name)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        current = False
        while True:
            positions = [await consumer.position(partition) >= ends[partition] for partition in partitions]
            if not current and all(positions):
                current = True
                if on_current is not None:
                    on_current()
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    await _deliver(topic, record.value, record.headers, on_event)
    finally:
        await consumer.stop()


async def _deliver(
    topic: Topic,
    value: bytes | None,
    headers: tuple[tuple[str, bytes | None], ...],
    on_event: Callable[[Envelope], Awaitable[None]],
) -> None:
    try:
        envelope = decode(value, headers)
        if not isinstance(envelope.event, topic.event):
            raise Invalid(f"a {envelope.event.type_name} does not belong here")
    except Invalid as error:
        log.warning("skipping a message on %s: %s", topic.name, error)
        return
    await on_event(envelope)
