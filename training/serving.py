"""The model server that will serve, for as long as a trial lasts: what is judged is what it answers over HTTP.

Where one is configured it is that one, at its own precision; else the embedded one, started here on a free port.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import openai
import uvicorn
from openai import RequestOptions

from editorial import answers, prompts
from infra.model_server.app import create_app
from infra.model_server.batcher import Batcher
from infra.model_server.engine import Engine
from infra.settings import LOOPBACK, Settings
from schemas.errors import Unavailable

AT_ONCE = 16
"""Requests under way at the same time: a whole batch of the embedded server."""
START_S = 30
ADMIN: RequestOptions = {"timeout": 120.0, "max_retries": 0}
"""Loading twice would be refused, as unloading twice."""


class Rejected(Exception):
    """The server is well but does not load this adapter, or does not answer with it; the message is the server's."""


class Served:
    """A client of the model server, asking as the generator asks."""

    def __init__(self, address: str, settings: Settings) -> None:
        self.address = address
        self._settings = settings
        self._client = openai.OpenAI(
            base_url=address, api_key=settings.model_server_key.get_secret_value(), timeout=settings.model_timeout_s
        )

    def knows(self, name: str) -> bool:
        """Whether the server answers under this name. Raises `Unavailable`."""
        with _reached():
            return any(model.id == name for model in self._client.models.list().data)

    def load(self, name: str, folder: Path) -> None:
        """Make it answer with the adapter in `folder`. Raises `Rejected`, `Unavailable`."""
        body = {"lora_name": name, "lora_path": str(folder.resolve())}
        with _reached():
            self._client.post("/load_lora_adapter", body=body, cast_to=str, options=ADMIN)

    def unload(self, name: str) -> None:
        """Make it forget the adapter. Raises `Rejected`, `Unavailable`."""
        with _reached():
            self._client.post("/unload_lora_adapter", body={"lora_name": name}, cast_to=str, options=ADMIN)

    def titles(
        self, name: str, articles: Sequence[str], prompt_version: str, say: Callable[[str], None] = lambda _: None
    ) -> list[str]:
        """One greedy title per article (already cut to length), cleaned as in serving. Raises as `load` does."""
        order = sorted(range(len(articles)), key=lambda index: len(articles[index]))  # likes share a batch
        titles = [""] * len(articles)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            asked = [prompts.render(prompt_version, articles[index]) for index in order]
            for done, (index, title) in enumerate(
                zip(order, pool.map(lambda one: self._ask(name, one), asked), strict=True)
            ):
                titles[index] = title
                say(f"{done + 1} of {len(order)} stories titled by {name}")
        return titles

    def _ask(self, name: str, prompt: str) -> str:
        with _reached():
            answer = self._client.chat.completions.create(
                model=name,
                messages=[{"role": "user", "content": prompt}],
                max_tokens=self._settings.max_title_tokens,
                temperature=0.0,
            )
        return answers.clean(answer.choices[0].message.content or "")


@contextmanager
def model_server(settings: Settings) -> Iterator[Served]:
    """The model server in use, or one of our own for the time being. Raises `Unavailable`."""
    if settings.model_server_url:
        yield Served(settings.model_server, settings)
        return
    engine = Engine.load(settings.base_model, settings.base_revision, settings.threads)
    with socket.socket() as listener, Batcher(engine) as batcher:
        listener.bind((LOOPBACK, 0))
        server = uvicorn.Server(uvicorn.Config(create_app(engine, batcher), log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="model server")
        thread.start()
        try:
            _wait_for(server)
            yield Served(f"http://{LOOPBACK}:{listener.getsockname()[1]}/v1", settings)
        finally:
            server.should_exit = True
            thread.join()


def _wait_for(server: uvicorn.Server) -> None:
    deadline = time.monotonic() + START_S
    while not server.started:
        if time.monotonic() > deadline:
            raise Unavailable(f"the embedded model server has not started within {START_S} s")
        time.sleep(0.01)


@contextmanager
def _reached() -> Iterator[None]:
    """Tell a server that refuses from one that cannot be reached or is overloaded."""
    try:
        yield
    except openai.APIStatusError as error:
        if error.status_code in (408, 429, 502, 503, 504):
            raise Unavailable(f"the model server does not answer: {error.message}") from error
        told = error.body.get("message") if isinstance(error.body, dict) else None
        raise Rejected(told or error.message) from error
    except openai.APIConnectionError as error:
        raise Unavailable(f"the model server cannot be reached: {error}") from error
