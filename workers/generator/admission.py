"""Whether a version may serve: before it is loaded by what is announced of it, and afterwards by what it does.

Before: base, base revision and prompt are those that this generator works with. Afterwards: the model server makes of
a message the tokens that the training made of it (so tokenizer and chat template are still those), and the version
writes titles for the golden articles, which also warms the server up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from editorial import prompts
from editorial.answers import clean
from infra.artefacts import SAMPLE_MESSAGE, sample_digest, tokens_digest
from infra.registry import base_identity
from infra.settings import Settings
from schemas.errors import Invalid
from schemas.events import Adapter
from workers.generator.engine import Answer, TooLong

WARM_UP = 4
"""Golden articles that a version writes a title for before it takes over."""
SHORTEST = 100
"""Characters: an article cut to fewer that still does not fit is not to blame on the article."""
log = logging.getLogger(__name__)


class Server(Protocol):
    """What this needs of the model server (`workers.generator.engine.Engine`)."""

    async def complete(self, model: str, prompt: str) -> Answer: ...
    async def tokenize(self, model: str, message: str) -> tuple[int, ...] | None: ...


def objection(adapter: Adapter, base: tuple[str, str] | None) -> str | None:
    """Why this adapter must not serve on this base (its name and revision, where they are known), or None."""
    if adapter.prompt_version not in prompts.PROMPTS:
        return f"prompt {adapter.prompt_version!r} is not known here: is this worker older than the adapter?"
    if prompts.digest(adapter.prompt_version) != adapter.prompt_digest:
        return f"prompt {adapter.prompt_version!r} is not the text that {adapter.model_version} was trained with"
    if base is not None and (adapter.base_model, adapter.base_revision) != base:
        return (
            f"it was trained on {adapter.base_model} ({adapter.base_revision}), but the base here is {base[0]} "
            f"({base[1]}): set COPYDESK_BASE_MODEL to the one it belongs to"
        )
    try:
        server_path(adapter.artefact_uri)
    except ValueError as error:
        return f"{adapter.artefact_uri!r} is no address of an artefact: {error}"
    return None


def server_path(artefact_uri: str) -> str:
    """An artefact's address as the model server wants it: a path for files, anything else as it is."""
    parts = urlsplit(artefact_uri)
    return unquote(parts.path) if parts.scheme == "file" else artefact_uri


def base_here(settings: Settings) -> tuple[str, str] | None:
    """Name and revision of the base; None for a folder that only the model server's machine has."""
    path = Path(settings.base_model)
    elsewhere = path.is_absolute() and not path.is_dir()
    return None if elsewhere else base_identity(settings)


async def fault(server: Server, adapter: Adapter, articles: Sequence[str]) -> str | None:
    """What is wrong with a loaded version, or None. Raises `Transient` while the server does not answer."""
    expected = sample_digest(Path(server_path(adapter.artefact_uri)))
    if expected:
        tokens = await server.tokenize(adapter.model_version, SAMPLE_MESSAGE)
        if tokens is not None and tokens_digest(tokens) != expected:
            return "the model server's tokenizer or chat template is not the one that it was trained with"
    try:
        titles = await asyncio.gather(*(_write(server, adapter, article) for article in articles[:WARM_UP]))
    except Invalid as error:
        return f"the model server refuses its first titles: {error}"
    if titles and 2 * titles.count("") >= len(titles):
        return f"{titles.count('')} of its first {len(titles)} titles, over golden articles, are empty"
    log.info("%s is warm: %s", adapter.model_version, titles)
    return None


async def _write(server: Server, adapter: Adapter, article: str) -> str:
    """The article's title, or its beginning's where the model's context is small."""
    while True:
        try:
            answer = await server.complete(adapter.model_version, prompts.render(adapter.prompt_version, article))
            return clean(answer.text)
        except TooLong:
            article = article[: len(article) // 2]
            if len(article) < SHORTEST:
                raise
