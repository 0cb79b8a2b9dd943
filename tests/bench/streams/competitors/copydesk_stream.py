"""Copydesk's stream: a sliding window, acknowledged sends, commit floor. At least once."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

from infra.observability import tracing
from infra.settings import Settings
from schemas.envelope import Envelope
from schemas.events import Article
from schemas.topics import ARTICLES, TITLES
from tests.bench.streams.job import Job, title_over
from workers.stream import Lane, Outlet, run


def main(job: Job, *, traced: bool) -> None:
    titles = replace(TITLES, name=job.sink)

    async def handle(envelope: Envelope, outlet: Outlet) -> None:
        assert isinstance(envelope.event, Article)
        if job.call_s:
            await asyncio.sleep(job.call_s)
        await outlet.send(titles, title_over(envelope.event))

    settings = Settings(
        home=Path(job.home),
        kafka_port=int(job.bootstrap.rpartition(":")[2]),
        window=job.in_flight,
        trace_share=1.0 if traced else 0.0,
    )
    tracing.start(settings, job.group)
    run(job.group, settings, [Lane(replace(ARTICLES, name=job.source), handle)])
    tracing.stop()


if __name__ == "__main__":
    main(Job.from_command_line(), traced=os.environ.get("BENCH_TRACED") == "1")
