"""Quix Streams with `processing_guarantee="at-least-once"`: flushes its producer before every checkpoint's commit.

At least once. It handles one message at a time per process; more at once means more processes, up to one per partition.
"""

from __future__ import annotations

import time
from typing import Any

from quixstreams import Application

from tests.bench.streams.job import Job, close_title, open_article, title_over


def main(job: Job) -> None:
    app = Application(
        broker_address=job.bootstrap,
        consumer_group=job.group,
        auto_offset_reset="earliest",
        processing_guarantee="at-least-once",
        commit_interval=1.0,
        auto_create_topics=False,
        state_dir=job.home,
        loglevel="ERROR",
        producer_extra_config={"acks": "all", "enable.idempotence": True},
    )
    source = app.topic(job.source, key_deserializer="bytes", value_deserializer="bytes")
    sink = app.topic(job.sink, key_serializer="bytes", value_serializer="bytes")

    def handle(value: bytes, key: bytes, timestamp: int, headers: list[tuple[str, bytes]]) -> Any:
        article = open_article(value, headers)
        if job.call_s:
            time.sleep(job.call_s)
        return close_title(title_over(article))

    titles = app.dataframe(source).apply(handle, metadata=True)
    titles = titles.set_headers(lambda title, key, timestamp, headers: list(title.headers))
    titles.apply(lambda title: title.value).to_topic(sink)
    app.run()


if __name__ == "__main__":
    main(Job.from_command_line())
