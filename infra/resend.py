"""Puts messages on topics exactly as somebody else made them: any key, any value, headers with or without a value.

kafka-python's producer refuses a header without a value, so this one is aiokafka's, the stream workers' own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordTooLargeError
from aiokafka.structs import RecordMetadata

from infra.kafka import BATCH_OVERHEAD_BYTES, RawHeaders
from infra.kafka_access import access
from infra.settings import Settings
from schemas.errors import Invalid, Transient
from schemas.topics import MAX_MESSAGE_BYTES

IN_FLIGHT = 100
TIMEOUT_S = 60


@dataclass(frozen=True)
class Parcel:
    """A message and the topic it goes to."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: RawHeaders


@dataclass(frozen=True)
class Place:
    """Where a message has come to lie."""

    partition: int
    offset: int


def resend(settings: Settings, parcels: Iterable[Parcel]) -> list[Place]:
    """Send all, each acknowledged by all in-sync replicas; where they lie, in their order.

    Raises `Transient` or `Invalid` (too large) at the first that is not acknowledged: those before it lie on their
    topics.
    """
    return asyncio.run(_resend(settings, iter(parcels)))


async def _resend(settings: Settings, parcels: Iterator[Parcel]) -> list[Place]:
    producer = AIOKafkaProducer(
        **access(settings),
        client_id="copydesk-resend",
        acks="all",
        enable_idempotence=True,
        compression_type="gzip",
        max_request_size=MAX_MESSAGE_BYTES + BATCH_OVERHEAD_BYTES,
    )
    places: list[Place] = []
    try:
        await producer.start()
        while batch := list(islice(parcels, IN_FLIGHT)):
            sent = [await _send(producer, parcel) for parcel in batch]
            async with asyncio.timeout(TIMEOUT_S):
                places += [Place(done.partition, done.offset) for done in await asyncio.gather(*sent)]
    except (MessageSizeTooLargeError, RecordTooLargeError) as error:
        raise Invalid(f"a message is larger than the broker takes: {error}") from error
    except (KafkaError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise Transient(f"{len(places)} are acknowledged, the next is not: {reason}") from error
    finally:
        await producer.stop()
    return places


async def _send(producer: AIOKafkaProducer, parcel: Parcel) -> asyncio.Future[RecordMetadata]:
    headers = list(parcel.headers)
    if parcel.key is not None or parcel.value is not None:
        return await producer.send(parcel.topic, parcel.value, parcel.key, headers=headers)  # type: ignore[no-any-return]
    empty = producer.create_batch()  # send() insists on a key or a value
    empty.append(key=None, value=None, timestamp=None, headers=headers)
    partition = min(await producer.partitions_for(parcel.topic))
    return await producer.send_batch(empty, parcel.topic, partition=partition)  # type: ignore[no-any-return]
