"""A stream worker that does what an article's headline says; run as a process by `test_stream_on_kafka.py`."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from infra.settings import get_settings
from schemas.envelope import Envelope
from schemas.errors import Invalid, Transient, Unavailable
from schemas.events import Article
from schemas.topics import ARTICLES, PUBLISHED
from workers.stream import Lane, Outlet, run

home = get_settings().home
tries: Counter[str] = Counter()


async def handle(envelope: Envelope, outlet: Outlet) -> None:
    """Obey the headline; then send the article on, for the test to see."""
    article = envelope.event
    assert isinstance(article, Article)
    tries[article.key] += 1
    with (home / "tries.log").open("a") as file:
        file.write(f"{article.headline}\n")
    match article.headline:
        case "invalid":
            raise Invalid("the headline says so")
        case "hopeless":
            raise Transient("it never gets better")
        case "shaky" if tries[article.key] < 3:
            raise Transient("it gets better")
        case "patient" if not (home / "up").exists():
            raise Unavailable("the server is down")
        case "defect" if not (home / "fixed").exists():
            raise RuntimeError("a defect of the handler")
        case "slow":
            await asyncio.sleep(2)
    await outlet.send(PUBLISHED, article)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    run("willing", get_settings(), [Lane(ARTICLES, handle)])
