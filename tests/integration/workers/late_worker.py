"""A stream worker that takes its time to start, as if it loaded a model; run as a process by `test_outage.py`.

    python late_worker.py articles|titles

What it reads goes to `published`.
"""

from __future__ import annotations

import asyncio
import logging
import sys

from infra.settings import get_settings
from schemas.envelope import Envelope
from schemas.events import Article
from schemas.topics import ARTICLES, PUBLISHED, TITLES
from tests.ground import wait_until
from workers.stream import Lane, Outlet, run

home = get_settings().home


async def handle(envelope: Envelope, outlet: Outlet) -> None:
    """Send the article on, for the test to see."""
    assert isinstance(envelope.event, Article)
    await outlet.send(PUBLISHED, envelope.event)


async def load() -> None:
    """Until the test says so."""
    (home / "loading").touch()
    await asyncio.to_thread(wait_until, (home / "loaded").exists, 120)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    [topic] = (topic for topic in (ARTICLES, TITLES) if topic.name == sys.argv[1])
    run(f"late-{topic.name}", get_settings(), [Lane(topic, handle)], on_start=load)
