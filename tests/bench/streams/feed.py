"""Puts articles on a topic: a backlog as fast as it can, or at a fixed rate whatever the reader does (open loop).

Runs in the competitors' environment, for librdkafka's producer. At a rate, a message carries the time at which it was
*due*: if the feeder or the broker is late, that counts as latency and is not forgotten (coordinated omission).
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from confluent_kafka import Producer

from tests.bench.streams.payloads import messages


def feed(bootstrap: str, topic: str, start: int, count: int, *, rate: float, small: bool) -> None:
    """All of them acknowledged when this returns. `rate` per second; 0: as fast as it goes."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 0 if rate else 20,
            "queue.buffering.max.messages": 200_000,
        }
    )
    refused: list[Any] = []
    began = time.time() + 0.1
    for number, message in enumerate(messages(start, count, small=small)):
        due = began + number / rate if rate else time.time()
        while rate and (wait := due - time.time()) > 0:
            producer.poll(0)
            time.sleep(min(wait, 0.05))
        while True:
            try:
                producer.produce(
                    topic,
                    message.value,
                    message.key,
                    headers=list(message.headers),
                    timestamp=int(due * 1000),
                    on_delivery=lambda error, _: refused.append(error) if error else None,
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    left = producer.flush(120)
    if left or refused:
        raise SystemExit(f"{left} messages were not acknowledged, {len(refused)} refused: {refused[:1]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("count", type=int)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    feed(options.bootstrap, options.topic, options.start, options.count, rate=options.rate, small=options.small)
