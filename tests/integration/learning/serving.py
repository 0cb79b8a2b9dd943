"""The generator's own parts over a running model server: what would be published after an announcement."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from editorial import prompts
from infra.registry import digest_folder
from infra.settings import Settings
from schemas.envelope import Envelope
from schemas.events import Event, Title
from schemas.topics import Topic
from tests.ground import wait_until
from tests.samples import NOW, make_adapter, make_article
from workers.generator.engine import Engine
from workers.generator.rollout import Rollout
from workers.generator.worker import Generator

PATIENCE_S = 60


class Outbox:
    """Keeps the titles that are sent."""

    def __init__(self) -> None:
        self.titles: list[Title] = []

    async def send(self, topic: Topic, event: Event) -> None:
        assert isinstance(event, Title)
        self.titles.append(event)


async def published(
    settings: Settings, versions: Sequence[tuple[str, Path, str]], texts: Sequence[str]
) -> list[list[Title]]:
    """The titles by each version (name, folder, prompt), announced one after the other as champion."""
    engine = Engine(settings)
    rollout = Rollout(engine, None, linger_s=0.0)
    generator = Generator(settings, engine, rollout)
    rollout.current()
    converging = asyncio.create_task(rollout.converge())
    found = []
    try:
        for sequence, (version, folder, prompt) in enumerate(versions, 1):
            adapter = make_adapter(sequence, version=version, artefact_uri=str(folder), prompt_version=prompt)
            digests = {"digest": digest_folder(folder), "prompt_digest": prompts.digest(prompt)}
            await rollout.announced(_envelope(adapter.model_copy(update=digests)))
            await asyncio.to_thread(wait_until, lambda v=version: _serving(rollout) == v, PATIENCE_S)
            outbox = Outbox()
            articles = [make_article(number, text=text) for number, text in enumerate(texts)]
            await asyncio.gather(*(generator.write(_envelope(article), outbox) for article in articles))
            by_article = {title.article.article_id: title for title in outbox.titles}
            found.append([by_article[article.article_id] for article in articles])
    finally:
        converging.cancel()
        with suppress(asyncio.CancelledError):
            await converging
        await engine.close()
    return found


def _serving(rollout: Rollout) -> str:
    return rollout.serving.model_version if rollout.serving else ""


def _envelope(event: Event) -> Envelope:
    return Envelope(event=event, event_id=str(event.event_id), source="/test", time=NOW, traceparent="")
