"""One title outside the stream: for `copydesk replay` and for the gateway. Nothing is written to a topic."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from schemas.envelope import Envelope
from schemas.errors import Transient, Unavailable
from schemas.events import Event, Title
from schemas.topics import Topic
from workers.generator.worker import Generator

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
"""Who waits for one title is told sooner that there is none than a stream would give up."""


class _Tray:
    """An outlet that keeps what it is given (`workers.stream.Outlet`)."""

    def __init__(self) -> None:
        self.titles: list[Title] = []

    async def send(self, topic: Topic, event: Event) -> None:
        assert isinstance(event, Title)
        self.titles.append(event)


async def write_title(generator: Generator, envelope: Envelope, tries: int) -> Title:
    """The title of the article in the envelope. Raises `Invalid`, and `Transient` after so many tries."""
    tray, number = _Tray(), 1
    while True:
        try:
            await generator.write(envelope, tray)
            return tray.titles[-1]
        except Transient as error:
            wish = error.retry_after_s if isinstance(error, Unavailable) else 0.0
            if number == tries or wish > LONGEST_PAUSE_S:
                generator.forget(envelope.event.event_id)
                raise
            await asyncio.sleep(max(wish, FIRST_PAUSE_S * 2.0 ** (number - 1)))
            number += 1


def envelope_of(event: Event, source: str) -> Envelope:
    """An event as if it came from a topic."""
    return Envelope(event=event, event_id=str(uuid4()), source=source, time=datetime.now(UTC), traceparent="")
