"""What was sent counts once the broker has said so, for each message by itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import MessageSizeTooLargeError, NotEnoughReplicasError
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata

from infra.kafka import send_acked
from schemas.envelope import Message
from schemas.errors import Invalid, Transient
from schemas.topics import ARTICLES

PAIR = (ARTICLES, Message(key=b"k", value=b"v", headers=()))


class Client:
    """Takes every message at once, as kafka-python's producer does; what it says of each later is given here."""

    def __init__(self, *answers: Exception | str) -> None:
        self.answers = list(answers)

    def send(self, topic: str, **_: object) -> Any:
        batch = FutureProduceResult(TopicPartition(topic, 0))
        future = FutureRecordMetadata(batch, 0, None, None, 1, 1, 0)
        match self.answers.pop(0):
            case Exception() as error:
                future.failure(error)
            case "acknowledged":
                future.success("metadata")
        return future


def send(*answers: Exception | str, timeout_s: float = 5) -> None:
    client: Any = Client(*answers)
    pairs: Sequence[Any] = [PAIR] * len(answers)
    send_acked(client, pairs, timeout_s)


def test_messages_that_are_all_acknowledged_are_sent() -> None:
    send("acknowledged", "acknowledged")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_that_is_refused_is_enough_to_send_all_again(place: int) -> None:
    answers: list[Exception | str] = ["acknowledged"] * 3
    answers[place] = NotEnoughReplicasError("one of two")
    with pytest.raises(Transient, match="NotEnoughReplicasError"):
        send(*answers)


def test_no_word_from_the_broker_is_no_acknowledgement_and_the_limit_is_one_for_all() -> None:
    began = time.monotonic()
    with pytest.raises(Transient, match="not acknowledged"):
        send(*["no word"] * 5, timeout_s=0.2)
    assert time.monotonic() - began < 0.9


def test_one_that_is_too_large_stays_so() -> None:
    with pytest.raises(Invalid, match="larger than the broker takes"):
        send("acknowledged", MessageSizeTooLargeError("9 MB"))
