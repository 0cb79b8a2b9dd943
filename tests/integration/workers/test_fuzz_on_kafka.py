"""Hundreds of messages that make no sense on every topic of a real broker: no worker breaks, none of them stays."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as how

from infra.kafka import create_topics, lag, make_producer, read_whole, send_acked
from infra.kafka_access import access
from infra.settings import LOOPBACK, Settings
from schemas.envelope import decode, encode
from schemas.errors import Invalid
from schemas.events import Adapter
from schemas.topics import ADAPTERS, ARTICLES, MAX_MESSAGE_BYTES, TITLES, TOPICS, Topic
from tests.fuzz import Raw, golden, raw_messages
from tests.ground import environment_for, free_ports, wait_until
from tests.samples import NOW, make_adapter, make_article

MESSAGES_PER_TOPIC = 120
PATIENCE_S = 400
LATEST = 2**62
"""Sequence of the adapter that serves."""
READERS: dict[str, tuple[Topic, ...]] = {"archivist": TOPICS, "generator": (ARTICLES,), "scorer": (TITLES,)}


class Model(BaseHTTPRequestHandler):
    """vLLM's protocol: has every adapter, and one title for everything."""

    def do_GET(self) -> None:
        cards = [{"id": name, "object": "model", "created": 1, "owned_by": "x"} for name in ("base", "v1", "v2")]
        self._reply({"object": "list", "data": cards})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Harbour opens"}}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "usage": usage}
        self._reply(answer | {"choices": [choice]})

    def _reply(self, body: dict[str, object]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def model_server() -> Iterator[str]:
    port = free_ports()
    server = ThreadingHTTPServer((LOOPBACK, port), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{LOOPBACK}:{port}/v1"
    server.shutdown()
    server.server_close()


def drawn(count: int) -> list[Raw]:
    """So many messages, the same ones each time."""
    found: list[Raw] = []

    @seed(20261122)
    @given(raw=raw_messages())
    @how(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def collect(raw: Raw) -> None:
        found.append(raw)

    collect()
    return found


def outranks(raw: Raw) -> bool:
    """A valid announcement that holds against every later one: with it no worker would be wrong to wait."""
    try:
        event = decode(raw[1], raw[2]).event
    except Invalid:
        return False
    return isinstance(event, Adapter) and event.sequence >= LATEST


def bombs() -> list[Raw]:
    """What a compressed batch smuggles past the broker's limit, and other extremes."""
    headers = golden()[0].wire_headers
    return [
        (None, None, ()),
        (b"k", b" " * (3 * MAX_MESSAGE_BYTES), headers),
        (b"k", b"{}", (("x", b"y" * 2 * MAX_MESSAGE_BYTES),)),
        (b"k", b"[" * 1_000_000, headers),
        (b"k", gzip.compress(b"[]"), (*headers, ("content-encoding", b"gzip"))),
    ]


async def flood(settings: Settings, messages: list[Raw]) -> None:
    """Every message on every topic, each in a batch of its own: only that way does a client check nothing."""
    producer = AIOKafkaProducer(**access(settings), compression_type="gzip", acks="all", max_batch_size=64 * 2**20)
    await producer.start()
    try:
        sent = []
        for topic in TOPICS:
            for number, (key, value, headers) in enumerate(messages):
                if topic.compacted and key is None:
                    continue  # the broker itself refuses those
                batch = producer.create_batch()
                assert batch.append(key=key, value=value, timestamp=None, headers=list(headers)) is not None
                partitions = await producer.partitions_for(topic.name)
                sent.append(await producer.send_batch(batch, topic.name, partition=number % len(partitions)))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


@pytest.mark.timeout(900)
def test_nothing_that_lies_on_a_topic_breaks_a_worker_or_stays(settings: Settings, model_server: str) -> None:
    settings = settings.model_copy(
        update={"model_server_url": model_server, "dead_letter_share": 1.0, "metrics_first_port": 0}
    )
    create_topics(settings)
    messages = [raw for raw in drawn(MESSAGES_PER_TOPIC) if not outranks(raw)] + bombs()
    asyncio.run(flood(settings, messages))
    good = make_article(1)
    producer = make_producer(settings, "test")
    sent = [
        (ADAPTERS, encode(make_adapter(LATEST), source="test", time=NOW)),
        (ARTICLES, encode(good, source="test", time=NOW)),
    ]
    send_acked(producer, sent)
    producer.close()
    workers = {name: start(name, settings) for name in READERS}
    try:
        for name, topics in READERS.items():
            wait_until(partial(settled, settings, name, topics, workers[name]), PATIENCE_S, every_s=1)
        time.sleep(2)
        for name, process in workers.items():
            assert process.poll() is None, f"{name} ended:\n{log_of(name, settings).read_text()[-3000:]}"
    finally:
        for name, process in workers.items():
            print(log_of(name, settings).read_text()[-3000:])
            process.terminate()
        statuses = {name: process.wait(60) for name, process in workers.items()}
    assert statuses == dict.fromkeys(READERS, 0)
    assert good.key.encode() in {record.key for record in read_whole(settings, TITLES.name)}
    for topic in TOPICS:
        check_letters(settings, topic)


def check_letters(settings: Settings, topic: Topic) -> None:
    """Each reader of ours buried each message that is no event of the topic, once or more, and no other."""
    wrong = {
        (record.partition, record.offset)
        for record in read_whole(settings, topic.name)
        if not is_event_of(topic, record.value, record.headers)
    }
    buried: dict[bytes, set[tuple[int, int]]] = {}
    for record in read_whole(settings, topic.dead_letters):
        headers = dict(record.headers)
        assert headers["copydesk-verdict"] == b"invalid", headers
        place = int(headers["__connect.errors.partition"] or 0), int(headers["__connect.errors.offset"] or 0)
        buried.setdefault(headers["__connect.errors.connector.name"] or b"", set()).add(place)
    groups = {f"copydesk.{name}".encode() for name, topics in READERS.items() if topic in topics}
    assert set(buried) <= groups
    for group in groups:
        assert wrong <= buried[group], f"{group!r} neither handled nor buried {wrong - buried[group]} of {topic.name}"


def is_event_of(topic: Topic, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...]) -> bool:
    try:
        return isinstance(decode(value, headers).event, topic.event)
    except Invalid:
        return False


def start(name: str, settings: Settings) -> subprocess.Popen[bytes]:
    with log_of(name, settings).open("ab") as log:
        command = [sys.executable, "-m", "copydesk", "worker", name]
        return subprocess.Popen(command, env=environment_for(settings), stdout=log, stderr=log)


def log_of(name: str, settings: Settings) -> Path:
    return settings.home / f"{name}.log"


def settled(settings: Settings, name: str, topics: tuple[Topic, ...], process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, f"{name} ended:\n{log_of(name, settings).read_text()[-3000:]}"
    return lag(settings, f"copydesk.{name}", topics) == 0
