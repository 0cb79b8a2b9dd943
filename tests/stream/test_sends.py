"""A send returns with the broker's word or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError, NotEnoughReplicasError, OutOfOrderSequenceNumber
from prometheus_client import REGISTRY

from schemas.errors import Invalid, Mendable
from schemas.topics import ARTICLES, MAX_MESSAGE_BYTES
from tests.samples import make_article
from workers import sending as sending_module
from workers.sending import NotAcknowledged, Streams


class SlowProducer:
    """Takes every message at once and says later what became of it, as aiokafka's does."""

    def __init__(self) -> None:
        self.answers: list[asyncio.Future[None]] = []
        self.headers: list[dict[str, bytes]] = []
        self.asked = asyncio.Event()

    async def maybe_start_producer(self) -> SlowProducer:
        return self

    async def send(self, *message: Any) -> asyncio.Future[None]:
        self.headers.append(dict(message[-1]))
        self.answers.append(asyncio.get_running_loop().create_future())
        self.asked.set()
        return self.answers[-1]


@pytest.fixture
def producer() -> SlowProducer:
    return SlowProducer()


@pytest.fixture
def streams(producer: SlowProducer) -> Streams:
    app: Any = producer  # the one method of an application that sending needs
    return Streams(app, "test")


async def send(streams: Streams, trace: str) -> None:
    await streams.outlet(trace).send(ARTICLES, make_article())


async def begin(work: Coroutine[Any, Any, None], producer: SlowProducer) -> asyncio.Task[None]:
    task = asyncio.create_task(work)
    await producer.asked.wait()
    return task


async def test_a_send_returns_only_after_the_acknowledgement(streams: Streams, producer: SlowProducer) -> None:
    sending = await begin(send(streams, ""), producer)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not sending.done()
    producer.answers[0].set_result(None)
    await sending


async def test_a_refused_send_is_raised(streams: Streams, producer: SlowProducer) -> None:
    sending = await begin(streams.send_raw("articles", b"k", b"v", ()), producer)
    producer.answers[0].set_exception(ConnectionError("not enough replicas"))
    with pytest.raises(ConnectionError):
        await sending


@pytest.mark.parametrize("refusal", [OutOfOrderSequenceNumber(), KafkaTimeoutError(), NotEnoughReplicasError()])
async def test_what_the_broker_refuses_is_no_trouble_of_the_message(
    streams: Streams, producer: SlowProducer, refusal: Exception
) -> None:
    sending = await begin(streams.send_raw("articles", b"k", b"v", ()), producer)
    producer.answers[0].set_exception(refusal)
    with pytest.raises(NotAcknowledged, match=f"message for articles: {type(refusal).__name__}") as told:
        await sending
    assert not isinstance(told.value, Mendable), "it would be tried again with a producer that may be broken for good"


async def test_a_broker_that_does_not_answer_is_waited_for_a_minute(
    streams: Streams, producer: SlowProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_module, "SEND_TIMEOUT_S", 0.01)
    sending = await begin(streams.send_raw("articles", b"k", b"v", ()), producer)
    with pytest.raises(NotAcknowledged, match="no answer within"):
        await sending


async def test_only_what_the_broker_has_taken_is_counted(streams: Streams, producer: SlowProducer) -> None:
    def sent() -> float:
        return REGISTRY.get_sample_value("copydesk_events_sent_total", {"topic": "articles"}) or 0.0

    before = sent()
    sending = await begin(send(streams, ""), producer)
    assert sent() == before
    producer.answers[0].set_result(None)
    await sending
    assert sent() == before + 1


async def test_an_event_carries_the_trace_of_what_caused_it(streams: Streams, producer: SlowProducer) -> None:
    sending = await begin(send(streams, "00-trace"), producer)
    producer.answers[0].set_result(None)
    await sending
    assert producer.headers[0]["traceparent"] == b"00-trace"
    assert producer.headers[0]["ce_source"] == b"/copydesk/test"


async def test_an_event_that_no_topic_takes_is_invalid_and_not_sent(streams: Streams, producer: SlowProducer) -> None:
    with pytest.raises(Invalid, match="larger than articles takes"):
        await streams.outlet("").send(ARTICLES, make_article(text="x" * (MAX_MESSAGE_BYTES + 1)))
    assert producer.answers == []
