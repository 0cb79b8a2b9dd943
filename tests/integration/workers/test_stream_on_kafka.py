"""The streams on a real broker: each fate of a message, and each way for a worker to end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError

from infra.kafka import BATCH_OVERHEAD_BYTES, RawHeaders, Record, lag, make_producer, read_whole, send_acked
from infra.resend import Parcel, resend
from infra.settings import Settings
from schemas.envelope import Envelope, Message, decode, encode
from schemas.events import Adapter, Article
from schemas.topics import ADAPTERS, ARTICLES, EMBEDDED_PARTITIONS, MAX_MESSAGE_BYTES, PUBLISHED
from tests.ground import environment_for, free_ports, wait_until
from tests.samples import NOW, make_adapter, make_article
from tests.strange_names import Name
from workers.stream import watch_compacted

GROUP = "copydesk.willing"
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
PATIENCE_S = 180
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    """Starts the worker; whatever still runs in the end is killed."""
    running: list[subprocess.Popen[bytes]] = []
    environment = environment_for(settings) | {"PYTHONPATH": os.pathsep.join(sys.path), "COPYDESK_MAX_ATTEMPTS": "3"}
    program = str(Path(__file__).with_name("willing_worker.py"))

    def begin(**changed: str) -> subprocess.Popen[bytes]:
        running.append(subprocess.Popen([sys.executable, program], env=environment | changed))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


def publish(settings: Settings, *headlines: str, raw: bytes | None = None, header: str | None = None) -> list[Message]:
    messages = [
        encode(make_article(number).model_copy(update={"headline": headline}), source="t", time=NOW, traceparent=TRACE)
        for number, headline in enumerate(headlines)
    ]
    if raw is not None:
        messages.append(Message(key=b"\xff\x00", value=raw, headers=(("ce_id", b"7"), ("odd", b"\xff"))))
    if header is not None:
        messages = [replace(message, headers=(*message.headers, (header, b"x"))) for message in messages]
    send(settings, messages)
    return messages


def send(settings: Settings, messages: Sequence[Message]) -> None:
    producer = make_producer(settings, "test")
    send_acked(producer, [(ARTICLES, message) for message in messages])
    producer.close()


def tried(settings: Settings) -> list[str]:
    log = settings.home / "tries.log"
    return log.read_text().split() if log.exists() else []


def settled(settings: Settings) -> bool:
    return lag(settings, GROUP, [ARTICLES]) == 0


def outcome(settings: Settings) -> tuple[list[Record], list[Record]]:
    """What came out, and what was buried."""
    return list(read_whole(settings, PUBLISHED.name)), list(read_whole(settings, ARTICLES.dead_letters))


def test_every_message_meets_its_fate_and_all_are_committed(settings: Settings, start: Start) -> None:
    publish(settings, "fine", "invalid", "shaky", "hopeless", "fine", raw=b"{broken")
    worker = start()
    wait_until(lambda: settled(settings), PATIENCE_S)
    out, letters = outcome(settings)
    assert sorted(record.key or b"" for record in out) == sorted(
        make_article(number).key.encode() for number in (0, 2, 4)
    )
    assert {record.key for record in letters} == {
        make_article(1).key.encode(),
        make_article(3).key.encode(),
        b"\xff\x00",
    }
    assert (tried(settings).count("invalid"), tried(settings).count("hopeless")) == (1, 3)
    assert all(dict(record.headers)["traceparent"] == TRACE.encode() for record in out)
    worker.terminate()
    assert worker.wait(60) == 0


def test_a_dead_letter_keeps_every_byte_and_says_where_it_lay(settings: Settings, start: Start) -> None:
    [message] = publish(settings, raw=b"{broken")
    start()
    wait_until(lambda: settled(settings), PATIENCE_S)
    [letter] = outcome(settings)[1]
    assert (letter.key, letter.value) == (message.key, message.value)
    assert letter.headers[: len(message.headers)] == message.headers
    headers = dict(letter.headers)
    assert headers["kafka_dlt-original-topic"] == headers["__connect.errors.topic"] == b"articles"
    assert headers["kafka_dlt-original-offset"] == bytes(8)
    assert headers["kafka_dlt-original-consumer-group"] == GROUP.encode()


def test_a_defect_ends_the_process_and_the_message_comes_again(settings: Settings, start: Start) -> None:
    publish(settings, "defect")
    assert start().wait(PATIENCE_S) == 70
    assert lag(settings, GROUP, [ARTICLES]) == 1
    (settings.home / "fixed").touch()
    start()
    wait_until(lambda: settled(settings), PATIENCE_S)
    out, letters = outcome(settings)
    assert ([record.key for record in out], letters) == ([make_article(0).key.encode()], [])


def test_a_stop_finishes_what_is_in_hand(settings: Settings, start: Start) -> None:
    publish(settings, "slow")
    worker = start()
    wait_until(lambda: tried(settings), PATIENCE_S)
    worker.terminate()
    assert worker.wait(60) == 0
    assert settled(settings)
    assert len(outcome(settings)[0]) == 1


def test_what_waits_for_a_server_that_is_down_survives_a_stop_and_is_not_buried(
    settings: Settings, start: Start
) -> None:
    publish(settings, "patient", "fine")
    worker = start()
    wait_until(lambda: tried(settings).count("patient") > 4, PATIENCE_S)
    worker.terminate()
    assert worker.wait(15) == 0, "a stop must not wait for the server"
    (settings.home / "up").touch()
    start()
    wait_until(lambda: settled(settings), PATIENCE_S)
    out, letters = outcome(settings)
    assert ({record.key for record in out}, letters) == ({make_article(n).key.encode() for n in (0, 1)}, [])


def test_a_flood_of_dead_letters_stops_the_worker_before_it_has_buried_all(settings: Settings, start: Start) -> None:
    publish(settings, *["invalid"] * 40)
    worker = start(COPYDESK_DEAD_LETTER_LEAST="10", COPYDESK_WINDOW="4")
    assert worker.wait(PATIENCE_S) == 65
    assert 9 <= len(outcome(settings)[1]) <= 13, "at most a window more than allowed"
    assert lag(settings, GROUP, [ARTICLES]) >= 31
    start(COPYDESK_DEAD_LETTER_SHARE="1")
    wait_until(lambda: settled(settings), PATIENCE_S)
    letters = outcome(settings)[1]
    assert {record.key for record in letters} == {make_article(number).key.encode() for number in range(40)}


def test_a_header_name_that_is_not_utf8_does_not_stop_a_worker(settings: Settings, start: Start) -> None:
    publish(settings, "fine", "invalid", "fine", header=Name(b"\xff\xfe odd"))
    start()
    wait_until(lambda: settled(settings), PATIENCE_S)
    out, letters = outcome(settings)
    assert len(out) == 2
    assert dict(letters[0].headers)["\\xff\\xfe odd"] == b"x"


def test_messages_at_the_edges_are_dead_letters_too(settings: Settings, start: Start) -> None:
    largest = b"x" * (MAX_MESSAGE_BYTES + BATCH_OVERHEAD_BYTES - 200)
    nothing_but_headers = (("odd", b"\xff"), ("none", None))
    edges: list[tuple[bytes | None, bytes | None, RawHeaders]] = [
        *((None, None, ()), (None, None, nothing_but_headers), (b"", b"", ()), (b"key", None, nothing_but_headers)),
        (b"key", largest, ()),
    ]
    resend(settings, [Parcel(ARTICLES.name, key, value, headers) for key, value, headers in edges])
    start()
    wait_until(lambda: settled(settings), PATIENCE_S)
    letters = [(letter.key, letter.value) for letter in outcome(settings)[1]]
    assert sorted(letters, key=repr) == sorted(((key, value) for key, value, _ in edges), key=repr)


def test_what_has_the_same_key_comes_out_in_order(settings: Settings, start: Start) -> None:
    count = 60
    articles = [
        make_article(number % 3).model_copy(
            update={
                "revision": 1 + number // 3,
                "headline": "slow" if number < 3 else "shaky" if number < 9 else "fine",
            }
        )
        for number in range(count)
    ]
    send(settings, [encode(article, source="t", time=NOW) for article in articles])
    start()
    wait_until(lambda: settled(settings), PATIENCE_S)
    revisions: dict[bytes | None, list[int]] = {}
    for record in outcome(settings)[0]:
        event = decode(record.value, record.headers).event
        assert isinstance(event, Article)
        revisions.setdefault(record.key, []).append(event.revision)
    assert list(revisions.values()) == [list(range(1, count // 3 + 1))] * 3


def test_a_worker_says_when_it_is_ready_and_why_it_is_not(settings: Settings, start: Start) -> None:
    port = free_ports()

    def asked(path: str) -> str:
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{port}{path}").text.strip()
        return "nobody answers"

    start(COPYDESK_METRICS_PORT=str(port))
    wait_until(lambda: asked("/readyz") == "ok", PATIENCE_S)
    publish(settings, "patient", "fine")
    wait_until(lambda: asked("/readyz") == "paused: the server is down", PATIENCE_S)
    assert asked("/livez") == "ok"
    (settings.home / "up").touch()
    wait_until(lambda: settled(settings), PATIENCE_S)
    assert asked("/readyz") == "ok"
    series = asked("/metrics").splitlines()
    for line in (
        'copydesk_events_received_total{topic="articles"} 2.0',
        'copydesk_events_handled_total{topic="articles"} 2.0',
        'copydesk_events_sent_total{topic="published"} 2.0',
        f"copydesk_assigned_partitions {float(EMBEDDED_PARTITIONS)}",
    ):
        assert line in series
    wait_until(lambda: 'copydesk_committed_lag_events{topic="articles"} 0.0' in asked("/metrics"), 60)


async def test_a_compacted_topic_is_read_whole_and_followed(settings: Settings) -> None:
    heard: list[int] = []
    current = asyncio.Event()
    producer = await asyncio.to_thread(make_producer, settings, "test")

    async def announce(*messages: Message) -> None:
        await asyncio.to_thread(send_acked, producer, [(ADAPTERS, message) for message in messages])

    async def hear(envelope: Envelope) -> None:
        assert isinstance(envelope.event, Adapter)
        heard.append(envelope.event.sequence)

    def adapter(sequence: int) -> Message:
        return encode(make_adapter(sequence), source="test", time=NOW)

    await announce(adapter(1), Message(key=b"champion", value=b"{broken", headers=()), adapter(2))
    watching = asyncio.create_task(watch_compacted(settings, ADAPTERS, hear, current.set))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await current.wait()
            assert heard == [1, 2]
            await announce(adapter(3))
            while len(heard) < 3:  # noqa: ASYNC110  # the list is filled from within the watch
                await asyncio.sleep(0.05)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await asyncio.to_thread(producer.close)
    assert heard == [1, 2, 3]


async def test_a_compacted_topic_is_read_again_from_its_beginning_when_reading_breaks(settings: Settings) -> None:
    heard: list[int] = []
    current = asyncio.Event()
    events = [encode(make_adapter(sequence), source="test", time=NOW) for sequence in (1, 2, 3)]
    producer = await asyncio.to_thread(make_producer, settings, "test")
    await asyncio.to_thread(send_acked, producer, [(ADAPTERS, event) for event in events])
    await asyncio.to_thread(producer.close)

    async def hear(envelope: Envelope) -> None:
        assert isinstance(envelope.event, Adapter)
        heard.append(envelope.event.sequence)
        if heard == [1, 2]:
            raise KafkaConnectionError("the connection breaks in the middle")

    watching = asyncio.create_task(watch_compacted(settings, ADAPTERS, hear, current.set))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait({watching, asyncio.ensure_future(current.wait())}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert heard == [1, 2, 1, 2, 3]
