"""The sending half of the streams: nothing counts as sent before the broker has said so.

`await topic.send()` of Faust only buffers, and a failed flush is swallowed: each send here is awaited twice, the second
time for the broker's word. Besides `stream`, the only module that knows Faust.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast

import faust
import faust.transport.drivers.aiokafka as driver
from aiokafka.errors import KafkaError
from faust.exceptions import ProducerSendError

from infra.observability import metrics
from schemas.envelope import encode
from schemas.errors import Invalid
from schemas.events import Event
from schemas.topics import MAX_MESSAGE_BYTES, Topic
from workers.dead_letters import RawHeaders
from workers.window import Outlet

SEND_TIMEOUT_S = 60.0
ASK_AGAIN_S, REMIND_EVERY = 1.0, 60
"""Pause between two attempts to reach a broker at the start; every how many of them are told."""
log = logging.getLogger(__name__)


class SafeProducer(driver.Producer):
    """Idempotent and acknowledged by all in-sync replicas; Faust is idempotent only under its own exactly-once."""

    logger = driver.logger

    async def on_start(self) -> None:
        await until_reached(super().on_start, lambda: self._producer)

    def _settings_extra(self) -> dict[str, Any]:
        return {**super()._settings_extra(), "acks": "all", "enable_idempotence": True}


class NotAcknowledged(Exception):
    """The broker has not taken a message. Fatal on purpose: after a long outage an idempotent producer may answer every
    send with OutOfOrderSequenceNumber until it is made anew (aiokafka #1017), and only a new process surely is.
    """


class Streams:
    """Sends on behalf of handlers (`workers.window.Sender`)."""

    def __init__(self, app: faust.App, name: str) -> None:
        self.app = app
        self.name = name

    def outlet(self, traceparent: str) -> Outlet:
        return _TracedOutlet(self, traceparent)

    async def send_raw(self, topic_name: str, key: bytes | None, value: bytes | None, headers: RawHeaders) -> None:
        producer = await self.app.maybe_start_producer()
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                # one await is only the client's buffer; the second is the broker's word, or its exception
                acknowledged = await _hand_over(producer, topic_name, key, value, headers)
                await acknowledged
        except (KafkaError, ProducerSendError, TimeoutError) as error:
            why = f"{type(error).__name__}: {error}" if str(error) else f"no answer within {SEND_TIMEOUT_S:g} s"
            raise NotAcknowledged(f"Kafka has not acknowledged a message for {topic_name}: {why}") from error


async def _hand_over(
    producer: Any, topic_name: str, key: bytes | None, value: bytes | None, headers: RawHeaders
) -> Awaitable[Any]:
    if key is not None or value is not None:
        return cast(Awaitable[Any], await producer.send(topic_name, key, value, None, None, list(headers)))
    # aiokafka's send() insists on a key or a value; others' producers do not, and their messages are buried like any
    client = producer._ensure_producer()
    empty = client.create_batch()
    empty.append(key=None, value=None, timestamp=None, headers=list(headers))
    partition = min(await client.partitions_for(topic_name))
    return cast(Awaitable[Any], await client.send_batch(empty, topic_name, partition=partition))


class _TracedOutlet:
    def __init__(self, streams: Streams, traceparent: str) -> None:
        self._streams = streams
        self._traceparent = traceparent

    async def send(self, topic: Topic, event: Event) -> None:
        message = encode(event, source=self._streams.name, time=datetime.now(UTC), traceparent=self._traceparent)
        if len(message.value) > MAX_MESSAGE_BYTES:
            raise Invalid(f"a {event.type_name} of {len(message.value)} bytes is larger than {topic.name} takes")
        await self._streams.send_raw(topic.name, message.key, message.value, message.headers)
        metrics.EVENTS_SENT.labels(topic.name).inc()


async def until_reached(start: Callable[[], Awaitable[None]], client: Callable[[], Any]) -> None:
    """Start until the broker answers. By itself Faust ends a worker whose broker vanishes just while it starts."""
    failures = 0
    while True:
        try:
            return await start()
        except KafkaError as error:
            if failures % REMIND_EVERY == 0:
                log.warning("waiting for the broker, which was there a moment ago: %s", error)
            failures += 1
            await client().stop()  # each start makes a new one
            await asyncio.sleep(ASK_AGAIN_S)
