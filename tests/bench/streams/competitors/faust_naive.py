"""Faust as its own introduction shows it: an agent with concurrency that sends and goes on.

At most once at any failure: an exception in the agent acknowledges the message all the same, and a send is only
buffered when its offset is committed.
"""

from __future__ import annotations

import asyncio
from typing import Any

import faust

from tests.bench.streams.job import Job, close_title, open_article, title_over


def build(job: Job) -> faust.App:
    app = faust.App(
        job.group,
        broker=f"kafka://{job.bootstrap}",
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        datadir=f"{job.home}/{job.group}",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
    )
    source = app.topic(job.source, value_type=bytes)
    sink = app.topic(job.sink, value_type=bytes)

    async def read(stream: Any) -> None:
        async for event in stream.events():
            article = open_article(event.value, list(event.headers.items()))
            if job.call_s:
                await asyncio.sleep(job.call_s)
            message = close_title(title_over(article))
            await sink.send(key=message.key, value=message.value, headers=list(message.headers))

    app.agent(source, concurrency=job.in_flight)(read)
    return app


if __name__ == "__main__":
    app = build(Job.from_command_line())
    faust.Worker(app, loglevel="ERROR").execute_from_commandline()
