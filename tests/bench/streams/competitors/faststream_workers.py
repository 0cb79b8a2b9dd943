"""FastStream with `NACK_ON_ERROR`, the strictest policy that it documents, and as many workers as it can use.

At least once. Its concurrency under that policy is one message per partition (`max_workers`: a consumer each, which
commits after every message).
"""

from __future__ import annotations

import asyncio

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage

from tests.bench.streams.job import Job, close_title, open_article, title_over


def build(job: Job) -> FastStream:
    broker = KafkaBroker(
        job.bootstrap, acks="all", enable_idempotence=True, logger=None, allow_auto_create_topics=False
    )

    async def undecoded(message: KafkaMessage) -> bytes:
        return bytes(message.body)  # or it would parse the JSON a second time

    async def handle(message: KafkaMessage) -> None:
        record = message.raw_message
        article = open_article(record.value, record.headers)
        if job.call_s:
            await asyncio.sleep(job.call_s)
        title = close_title(title_over(article))
        headers = {name: value.decode() for name, value in title.headers}
        await broker.publish(title.value, job.sink, key=title.key, headers=headers)

    subscriber = broker.subscriber(
        job.source,
        group_id=job.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        max_workers=min(job.partitions, job.in_flight),
        decoder=undecoded,
    )
    subscriber(handle)
    return FastStream(broker, logger=None)


if __name__ == "__main__":
    asyncio.run(build(Job.from_command_line()).run())
