"""aiokafka by hand, as a careful person writes it: a batch is handled concurrently, every send is acknowledged, then
the batch's offsets are committed. At least once; no dead letters, no retries, nothing watches it.

A batch waits for its slowest member; that is the price of this simplest correct form.
"""

from __future__ import annotations

import asyncio
import signal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.bench.streams.job import Job, close_title, open_article, title_over


async def main(job: Job) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    consumer = AIOKafkaConsumer(
        job.source,
        bootstrap_servers=job.bootstrap,
        group_id=job.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=job.bootstrap, acks="all", enable_idempotence=True)

    async def handle(record: object) -> None:
        article = open_article(record.value, record.headers)  # type: ignore[attr-defined]
        if job.call_s:
            await asyncio.sleep(job.call_s)
        message = close_title(title_over(article))
        await producer.send_and_wait(job.sink, message.value, key=message.key, headers=list(message.headers))

    async with consumer, producer:
        while not stop.is_set():
            batches = await consumer.getmany(timeout_ms=200, max_records=job.in_flight)
            await asyncio.gather(*(handle(record) for records in batches.values() for record in records))
            if batches:
                await consumer.commit({place: records[-1].offset + 1 for place, records in batches.items()})


if __name__ == "__main__":
    asyncio.run(main(Job.from_command_line()))
