"""Kafka as the rest of the house sees it: a producer that is acknowledged, topics from the registry, and two readers.

The stream workers read through `workers/stream.py`; this module serves everything else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypedDict, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    RetriableError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
)

from infra.header_names import read_any_header_name
from infra.kafka_access import access as access
from infra.kafka_access import client_config as client_config
from infra.kafka_access import reaching
from infra.settings import Settings
from schemas.envelope import Message
from schemas.errors import Invalid, Transient
from schemas.topics import EMBEDDED_PARTITIONS, MAX_MESSAGE_BYTES, TOPICS, Topic

BATCH_OVERHEAD_BYTES = 64 * 1024
"""A broker measures whole batches, a client single records: its limit lies this much higher than ours."""
DEAD_LETTER_ROOM_BYTES = 64 * 1024
"""What the headers of a dead letter may add to a message that was already as large as its topic takes."""
POLL_MS = 500
PATIENCE_S = 30
SILENCE_S = 60
"""A reader that has got nothing for so long, though there is more, gives up: the client itself would wait for ever."""

Answer = TypeVar("Answer")
RawHeaders = tuple[tuple[str, bytes | None], ...]
"""Headers as they lie on a topic: whoever sent the message may have left out a value."""


class TopicSpec(TypedDict):
    """A topic as the admin client wants it."""

    num_partitions: int
    replication_factor: int
    configs: dict[str, str]


@dataclass(frozen=True)
class Record:
    """A message as it lies on a topic. `timestamp` is in milliseconds since 1970, as the broker has it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: RawHeaders


class Producer(KafkaProducer):  # type: ignore[misc]
    """Can be closed whatever is left in it: what is not acknowledged by then is never sent.

    kafka-python's own raises in that case, stays open and goes on sending.
    """

    def flush(self, timeout: float | None = None) -> None:
        """Wait until all is sent, or for so long."""
        with suppress(KafkaTimeoutError):
            super().flush(timeout)


def make_producer(settings: Settings, client_id: str, timeout_s: float = 30) -> KafkaProducer:
    """A producer whose messages every in-sync replica has when they are acknowledged.

    Raises `Transient` if no broker answers within `timeout_s`.
    """
    with reaching(settings, timeout_s):
        return Producer(
            **client_config(settings),
            client_id=client_id,
            acks="all",
            enable_idempotence=True,  # said aloud: without it, a contradicting option would switch it off silently
            delivery_timeout_ms=60_000,
            request_timeout_ms=20_000,
            max_block_ms=30_000,
            linger_ms=5,
            compression_type="gzip",
            max_request_size=MAX_MESSAGE_BYTES,
            allow_auto_create_topics=False,
        )


def send_acked(producer: KafkaProducer, pairs: Sequence[tuple[Topic, Message]], timeout_s: float = 60) -> None:
    """Send and wait until all are acknowledged.

    Raises `Transient` if any is not (some of the others may be: send all again, ids make repeats harmless), `Invalid`
    if a message is larger than a topic takes.
    """
    deadline = time.monotonic() + timeout_s
    try:
        futures = [
            producer.send(topic.name, key=message.key, value=message.value, headers=list(message.headers))
            for topic, message in pairs
        ]
        for future in futures:  # flush() is no proof: it does not raise what happened to a record
            future.get(timeout=max(0.0, deadline - time.monotonic()))
    except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
        raise Invalid(f"a message is larger than the broker takes ({MAX_MESSAGE_BYTES} bytes): {error}") from error
    except KafkaError as error:
        raise Transient(f"not acknowledged by Kafka: {type(error).__name__}: {error}") from error


def topic_specs(*, embedded: bool) -> dict[str, TopicSpec]:
    """Every topic of the registry and its dead letters. A cluster decides its own replication factor (-1)."""
    specs: dict[str, TopicSpec] = {}
    for topic in TOPICS:
        partitions = min(topic.partitions, EMBEDDED_PARTITIONS) if embedded else topic.partitions
        specs[topic.name] = _spec(partitions, topic.retention_ms, compacted=topic.compacted)
        specs[topic.dead_letters] = _spec(
            1 if embedded else partitions, topic.retention_ms, compacted=False, room=DEAD_LETTER_ROOM_BYTES
        )
    return specs


def _spec(partitions: int, retention_ms: int, *, compacted: bool, room: int = 0) -> TopicSpec:
    configs = {
        "cleanup.policy": "compact" if compacted else "delete",
        "retention.ms": str(retention_ms),
        "max.message.bytes": str(MAX_MESSAGE_BYTES + BATCH_OVERHEAD_BYTES + room),
    }
    return {"num_partitions": partitions, "replication_factor": -1, "configs": configs}


def create_topics(settings: Settings, timeout_s: float = 120) -> None:
    """Create the topics that are missing; harmless to repeat and to call from several processes at once.

    Waits for the broker, then for the topics' leaders; raises `Transient` after `timeout_s`. Topics that exist are
    left as they are, whatever their settings: on a cluster they are somebody's decision.
    """
    deadline = time.monotonic() + timeout_s
    specs = topic_specs(embedded=not settings.kafka_bootstrap)
    admin = admin_client(settings, timeout_s)
    try:
        while True:
            try:
                present = set(admin.list_topics())
                _create(admin, {name: spec for name, spec in specs.items() if name not in present})
                admin.wait_for_topics(list(specs), timeout_ms=1000 * max(1.0, deadline - time.monotonic()))
                return
            except KafkaError as error:
                if time.monotonic() > deadline:
                    raise Transient(f"cannot create the topics at {settings.bootstrap}: {error}") from error
                time.sleep(0.5)  # the broker answers before its controller does: the next round finds out what is left
    finally:
        admin.close()


def _create(admin: KafkaAdminClient, missing: dict[str, TopicSpec]) -> None:
    if not missing:
        return
    try:
        admin.create_topics(missing)
    except TopicAlreadyExistsError:  # another process was faster with one; each is created on its own
        return
    except (ClusterAuthorizationFailedError, TopicAuthorizationFailedError) as error:
        raise Transient(
            f"Kafka shows this user no topic {', '.join(sorted(missing))} and does not let it create any: give it the"
            " right to describe them, or to create them if they are missing (docs/secure.md)"
        ) from error


def wait_until_ready(settings: Settings, timeout_s: float = 60) -> None:
    """Return once the broker answers questions about its topics; raises `Transient` after `timeout_s`."""
    admin = admin_client(settings, timeout_s)
    try:
        admin.list_topics()
    except KafkaError as error:
        raise Transient(f"the Kafka broker at {settings.bootstrap} does not answer: {error}") from error
    finally:
        admin.close()


def read_whole(settings: Settings, topic_name: str, *, since_ms: int = 0) -> Iterator[Record]:
    """Every message of a topic, from its beginning to its end as it stood when reading began; joins no group.

    With `since_ms` from the first message of that time on (milliseconds since 1970), in each partition. Order holds
    within a partition. Nothing for a topic that does not exist. Raises `Transient` if the broker fails.
    """
    with _consumer(settings, topic_name) as (consumer, partitions):
        if not partitions:
            return
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        if since_ms > 0:
            for place, offset in _first_at(consumer, partitions, since_ms).items():
                consumer.seek(place, offset)
        yield from _until(consumer, ends)


def read_one(settings: Settings, topic_name: str, partition: int, offset: int) -> Record | None:
    """The message at that place, None if there is none (any more). Raises `Transient` if the broker fails."""
    place = TopicPartition(topic_name, partition)
    with _consumer(settings, topic_name) as (consumer, partitions):
        if place not in partitions:
            return None
        consumer.assign([place])
        first, end = consumer.beginning_offsets([place])[place], consumer.end_offsets([place])[place]
        if not first <= offset < end:
            return None
        consumer.seek(place, offset)
        found = next(_until(consumer, {place: offset + 1}), None)
        return found if found is not None and found.offset == offset else None


def bounds(settings: Settings, topic_name: str) -> dict[int, tuple[int, int]]:
    """By partition the offset of the first message that is still there and the one that the next message will have.

    Nothing for a topic that does not exist. Raises `Transient` if the broker fails.
    """
    with _consumer(settings, topic_name) as (consumer, partitions):
        firsts, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        return {place.partition: (firsts[place], ends[place]) for place in partitions}


def offsets_at(settings: Settings, topic_name: str, moment_ms: int) -> dict[int, int]:
    """By partition the first message of that moment or later (milliseconds since 1970), the end where there is none.

    Raises `Transient` if the broker fails.
    """
    with _consumer(settings, topic_name) as (consumer, partitions):
        return {place.partition: offset for place, offset in _first_at(consumer, partitions, moment_ms).items()}


def _first_at(consumer: KafkaConsumer, partitions: list[TopicPartition], moment_ms: int) -> dict[TopicPartition, int]:
    ends = consumer.end_offsets(partitions)
    found = consumer.offsets_for_times(dict.fromkeys(partitions, moment_ms))
    return {place: found[place].offset if found.get(place) else ends[place] for place in partitions}


@contextmanager
def _consumer(settings: Settings, topic_name: str) -> Iterator[tuple[KafkaConsumer, list[TopicPartition]]]:
    """A consumer outside of all groups, and the topic's partitions; trouble inside the block is `Transient`."""
    read_any_header_name()
    with reaching(settings, 30):
        consumer = KafkaConsumer(
            **client_config(settings),
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            max_partition_fetch_bytes=MAX_MESSAGE_BYTES + BATCH_OVERHEAD_BYTES,
        )
    try:
        numbers = sorted(consumer.partitions_for_topic(topic_name) or ())
        yield consumer, [TopicPartition(topic_name, number) for number in numbers]
    except KafkaError as error:
        raise Transient(f"cannot read {topic_name!r}: {error}") from error
    finally:
        consumer.close()


def _until(consumer: KafkaConsumer, ends: dict[TopicPartition, int]) -> Iterator[Record]:
    heard = time.monotonic()
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        batches = consumer.poll(timeout_ms=POLL_MS)
        for partition, records in batches.items():
            for record in records:
                if record.offset < ends[partition]:
                    yield Record(
                        topic=record.topic,
                        partition=record.partition,
                        offset=record.offset,
                        timestamp=record.timestamp,
                        key=record.key,
                        value=record.value,
                        headers=tuple(record.headers),
                    )
        if batches:
            heard = time.monotonic()
        elif time.monotonic() - heard > SILENCE_S:
            raise KafkaTimeoutError(f"no answer for {SILENCE_S} s")


def lag(settings: Settings, group: str, topics: Sequence[Topic]) -> int:
    """How many messages of the topics the group has not committed yet; all of them for a group that never did.

    Raises `Transient` if the broker does not answer or a topic is not there.
    """
    return sum(lags(settings, group, topics).values())


def lags(settings: Settings, group: str, topics: Sequence[Topic]) -> dict[TopicPartition, int]:
    """The same, by partition."""
    names = [topic.name for topic in topics]
    return ask(settings, f"for the lag of {group!r}", lambda admin: _lags(admin, group, names))


def ask(settings: Settings, what: str, question: Callable[[KafkaAdminClient], Answer]) -> Answer:
    """Ask the broker as its administrator. Raises `Transient` that names `what` if there is no answer in time."""
    admin = admin_client(settings, PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while True:
            try:
                return question(admin)
            except RetriableError:  # a broker that has just started looks for the group's coordinator first
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
    except KafkaError as error:
        raise Transient(f"cannot ask {settings.bootstrap} {what}: {error}") from error
    finally:
        admin.close()


def _lags(admin: KafkaAdminClient, group: str, names: Sequence[str]) -> dict[TopicPartition, int]:
    partitions = [
        TopicPartition(topic["name"], part["partition_index"])
        for topic in admin.describe_topics(list(names))
        for part in topic["partitions"]
    ]
    firsts = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
    ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
    committed = admin.list_group_offsets({group: partitions})[group]
    found: dict[TopicPartition, int] = {}
    for partition in partitions:
        position = committed.get(partition)
        # -1 is Kafka's word for "never committed"; retention may have moved the beginning past a commit
        start = max(position.offset if position else -1, firsts[partition].offset)
        found[partition] = max(0, ends[partition].offset - start)
    return found


def admin_client(settings: Settings, timeout_s: float) -> KafkaAdminClient:
    """The administrator's client; close it. Raises `Transient` if no broker answers within `timeout_s`."""
    with reaching(settings, timeout_s):
        return KafkaAdminClient(**client_config(settings), client_id="copydesk-admin")
