"""A small stream worker whose handler fails in every way there is; run as a process by the chaos tests.

    SAFE=yes python failing_worker.py SEED

With `SAFE=no` the messages are read by the loop that Faust's tutorial has.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys

import faust

from infra.settings import Settings, get_settings
from schemas.envelope import Envelope, decode
from schemas.errors import Invalid, Transient, Unavailable
from schemas.events import Article, Title
from schemas.topics import ARTICLES, TITLES
from workers.stream import Lane, Outlet, run

NAME = "chaos"
chance = random.Random(sys.argv[1])


async def trouble() -> None:
    """What a model server and a network do to a handler; a defect of our own, which ends the process, is rarest."""
    await asyncio.sleep(chance.random() * 0.3)
    draw = chance.random()
    if draw < 0.001:
        raise RuntimeError("a defect")
    if draw < 0.03:
        raise Unavailable("the model server is away")
    if draw < 0.08:
        raise Transient("the model server answers nonsense")


def title_for(article: Article) -> Title:
    """The same title for the same article, as every worker must make it."""
    return Title(
        title_id=Title.make_id(article.article_id, article.revision, "v1", "v1"),
        article=article,
        text=article.headline,
        raw=article.headline,
        model_version="v1",
        base_model="none",
        adapter_digest="",
        prompt_version="v1",
        shots=0,
        attempts=1,
        input_tokens=0,
        output_tokens=0,
        latency_seconds=0.0,
        cost_usd=0.0,
    )


async def handle(envelope: Envelope, outlet: Outlet) -> None:
    """Fail often, send the title, fail again: a second delivery must be harmless."""
    assert isinstance(envelope.event, Article)
    await trouble()
    await outlet.send(TITLES, title_for(envelope.event))
    await trouble()


def run_naive(settings: Settings) -> None:
    """The same handler in the loop that a reader of Faust's documentation would write."""
    app = faust.App(
        f"copydesk.{NAME}",
        broker=f"kafka://{settings.bootstrap}",
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        datadir=str(settings.home / "naive"),
        web_enabled=False,
        broker_session_timeout=10,
        consumer_auto_offset_reset="earliest",
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
    )
    source = app.topic(ARTICLES.name, value_serializer="raw", value_type=bytes)
    titles = app.topic(TITLES.name, value_serializer="raw", value_type=bytes)

    async def write(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            try:
                envelope = decode(event.message.value, event.message.headers)
            except Invalid:
                continue
            assert isinstance(envelope.event, Article)
            if chance.random() < 0.01:  # Faust takes five seconds to start an agent again
                raise Transient("the model server answers nonsense")
            title = title_for(envelope.event)
            await titles.send(key=title.key.encode(), value=title.model_dump_json().encode())

    app.agent(source)(write)
    faust.Worker(app, loglevel="error").execute_from_commandline()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if os.environ["SAFE"] == "yes":
        run(NAME, get_settings(), [Lane(ARTICLES, handle)])
    else:
        (get_settings().home / "naive").mkdir(parents=True, exist_ok=True)
        run_naive(get_settings())
