"""Faust's own book-keeping with only the broker thread replaced: says exactly which offsets would be committed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import faust
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from infra.settings import Settings
from schemas.envelope import encode
from schemas.topics import ARTICLES
from tests.samples import NOW, make_article
from workers.dead_letters import RawHeaders
from workers.sending import Streams
from workers.stream import SafeConsumer, SafeThread, add_lane, build_app
from workers.window import Handler, Lane, Window

FIRST = TP(ARTICLES.name, 0)


class RecordingThread:
    """Stands where the thread with the real client is: has one partition and keeps what is committed."""

    def __init__(self) -> None:
        self.commits: list[int] = []

    def assignment(self) -> set[TP]:
        return {FIRST}

    async def commit(self, offsets: dict[TP, int]) -> bool:
        self.commits += offsets.values()
        return True


class RecordingStreams(Streams):
    """Keeps dead letters in place of sending them."""

    letters: list[bytes | None]

    async def send_raw(self, topic_name: str, key: bytes | None, value: bytes | None, headers: RawHeaders) -> None:
        self.letters.append(value)


class Bench:
    """A lane on a real Faust application; offsets are delivered by hand."""

    def __init__(self, home: Path, handle: Handler, *, size: int = 8) -> None:
        self.window = Window(group="copydesk.bench", size=size, max_attempts=2, try_limit_s=60.0)
        settings = Settings(home=home, kafka_bootstrap="127.0.0.1:1", window=size)
        self.app: faust.App = build_app("bench", settings, self.window, "bench-0")
        self.streams = RecordingStreams(self.app, "bench")
        self.streams.letters = []
        add_lane(self.app, Lane(ARTICLES, handle), self.window, self.streams)
        self.thread = RecordingThread()

    @property
    def consumer(self) -> Any:
        return self.app.consumer

    async def start(self, committed: int | None = None) -> None:
        """Begin as after an assignment, with an offset committed earlier or none."""
        app: Any = self.app
        assert isinstance(app.consumer, SafeConsumer)
        self.close_thread()
        self.consumer._thread = self.thread
        app.consumer_generation_id = 1
        app.flow_control.resume()
        app.producer.flush = _nothing
        for agent in app.agents.values():
            await agent.start()
        app.topics._acking_topics.add(FIRST.topic)
        for topic in app.topics._topics:
            app.topics._tp_index[FIRST].add(topic)
        app.topics._update_callback_map()
        if committed is not None:
            self.consumer._committed_offset[FIRST] = committed

    async def deliver(self, offset: int, value: bytes, headers: RawHeaders) -> ConsumerMessage:
        """A message arrives from the broker."""
        present = [(name, raw) for name, raw in headers if raw is not None]
        message = ConsumerMessage(
            *(FIRST.topic, FIRST.partition, offset, 0.0, 0, present, None, value, None, 0, len(value), FIRST),
            generation_id=1,
        )
        await self.app.topics.on_message(message)
        return message

    async def commits(self) -> list[int]:
        """Everything committed so far, after committing what can be."""
        await self.consumer.commit()
        return self.thread.commits

    def close_thread(self) -> None:
        """The real thread has an event loop from the start, though it never ran."""
        if isinstance(self.consumer._thread, SafeThread):
            self.consumer._thread.thread_loop.close()

    async def stop(self) -> None:
        for agent in self.app.agents.values():
            await agent.stop()


async def _nothing() -> None:
    return None


async def arrive(bench: Bench, *offsets: int) -> None:
    """The articles of these numbers lie at these offsets."""
    for offset in offsets:
        message = encode(make_article(offset), source="test", time=NOW)
        await bench.deliver(offset, message.value, message.headers)


async def until(condition: Any) -> None:
    """Let the event loop run until something holds; fails after five seconds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # what is waited for lies inside Faust and tells nobody
            await asyncio.sleep(0.005)
