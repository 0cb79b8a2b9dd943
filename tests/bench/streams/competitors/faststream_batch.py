"""FastStream's batch subscriber with `NACK_ON_ERROR`; the handler itself runs the batch's messages side by side.

At least once: the batch is committed when all its sends are acknowledged, and rewound as a whole when one fails. The
concurrency is ours, the framework only hands over the list.
"""

from __future__ import annotations

import asyncio
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage

from tests.bench.streams.job import Job, close_title, open_article, title_over


def build(job: Job) -> FastStream:
    broker = KafkaBroker(
        job.bootstrap, acks="all", enable_idempotence=True, logger=None, allow_auto_create_topics=False
    )

    async def undecoded(message: KafkaMessage) -> list[bytes]:
        return list(message.body)

    async def handle_one(record: Any) -> None:
        article = open_article(record.value, record.headers)
        if job.call_s:
            await asyncio.sleep(job.call_s)
        title = close_title(title_over(article))
        headers = {name: value.decode() for name, value in title.headers}
        await broker.publish(title.value, job.sink, key=title.key, headers=headers)

    async def handle(message: KafkaMessage) -> None:
        await asyncio.gather(*(handle_one(record) for record in message.raw_message))

    subscriber = broker.subscriber(
        job.source,
        group_id=job.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        batch=True,
        batch_timeout_ms=200,
        max_records=job.in_flight,
        decoder=undecoded,
    )
    subscriber(handle)
    return FastStream(broker, logger=None)


if __name__ == "__main__":
    asyncio.run(build(Job.from_command_line()).run())
