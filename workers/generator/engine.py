"""The model server as the generator sees it: OpenAI's protocol, with vLLM's way to load and unload adapters.

What its failures mean for a title:

    no connection, hangs, 429, 502-504, key      Unavailable: every title waits until it is back
    too slow, 500, an answer that is none        Transient: tried again a few times
    unknown model                                UnknownModel: the server has forgotten the adapter; load it again
    prompt longer than the model's context       TooLong: cut the article shorter
    any other refusal                            Invalid
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import openai
from openai.types.chat import ChatCompletion

from infra.artefacts import objection
from infra.observability import tracing
from infra.settings import Settings
from schemas.errors import Invalid, Transient, Unavailable

ADMIN_TIMEOUT_S = 120.0
"""Loading an adapter waits for the batches before it."""
CONNECT_TIMEOUT_S = 5.0
DOWN = frozenset({401, 403, 408, 429, 502, 503, 504})


class UnknownModel(Transient):
    """The server does not know this model (any more)."""


class TooSlow(Transient):
    """No answer in time."""


class TooLong(Invalid):
    """The prompt does not fit into the model's context."""


class LoadRefused(Exception):
    """The server will not load this adapter: its files are missing or broken."""


@dataclass(frozen=True)
class Answer:
    """What the model wrote, and what it cost in tokens and seconds."""

    text: str
    input_tokens: int
    output_tokens: int
    seconds: float


class Engine:
    """A client of the model server; makes no retries of its own. Connects with the first request."""

    def __init__(self, settings: Settings, http_client: openai.DefaultAsyncHttpxClient | None = None) -> None:
        self._max_tokens = settings.max_title_tokens
        self._client = openai.AsyncOpenAI(
            base_url=settings.model_server,
            api_key=settings.model_server_key.get_secret_value(),
            http_client=http_client,
            timeout=openai.Timeout(settings.model_timeout_s, connect=CONNECT_TIMEOUT_S),
            max_retries=0,
        )

    async def complete(self, model: str, prompt: str) -> Answer:
        """One answer by the named model, greedy. Raises as the module says."""
        began = time.monotonic()
        traceparent = tracing.current()  # vLLM and our own server go on with the trace
        try:
            with _verdicts():
                answer = await self._client.chat.completions.create(
                    model=model,
                    messages=[{"role": "user", "content": prompt}],
                    max_tokens=self._max_tokens,
                    temperature=0.0,
                    extra_headers={"traceparent": traceparent} if traceparent else None,
                )
        except TooSlow as slow:
            await self._answers(slow)
            raise
        return _read(answer, time.monotonic() - began)

    async def tokenize(self, model: str, message: str) -> tuple[int, ...] | None:
        """The tokens that the server makes of one message with its chat template; None if it cannot say.

        vLLM's endpoint; hosted models have none. Raises `Transient`.
        """
        body = {"model": model, "messages": [{"role": "user", "content": message}]}
        address = str(self._client.base_url).rstrip("/").removesuffix("/v1") + "/tokenize"
        try:
            with _verdicts():
                said: object = await self._client.post(address, body=body, cast_to=object)
        except (UnknownModel, Invalid):
            return None
        tokens = said.get("tokens") if isinstance(said, dict) else None
        return tuple(tokens) if isinstance(tokens, list) else None

    async def loaded(self) -> frozenset[str]:
        """Names of the models that the server answers for."""
        with _verdicts():
            page = await self._client.models.list()
        try:
            return frozenset(model.id for model in page.data)
        except (AttributeError, TypeError) as error:
            raise Transient("the model server answers nonsense when asked for its models") from error

    async def load(self, name: str, path: str, digest: str = "") -> None:
        """Make the server answer for an adapter; nothing to do if it does. Raises `LoadRefused`, `Transient`.

        Files that are not those of the digest are refused: here, where this process sees them, for vLLM looks at no
        digest; and by our own server where only that one does.
        """
        if name in await self.loaded():
            return
        if reason := await asyncio.to_thread(_objection, Path(path), digest):
            raise LoadRefused(f"adapter {name!r} is not loaded: {reason}")
        try:
            with _verdicts():
                await self._admin("load_lora_adapter", {"lora_name": name, "lora_path": path, "digest": digest})
        except (UnknownModel, Invalid) as error:
            if name not in await self.loaded():  # else somebody else was faster
                raise LoadRefused(f"the model server refuses adapter {name!r} at {path}: {error}") from error

    async def unload(self, name: str) -> None:
        """Make the server forget an adapter; nothing to do if it has. Raises `Transient`."""
        try:
            with _verdicts():
                await self._admin("unload_lora_adapter", {"lora_name": name})
        except (UnknownModel, Invalid):
            return

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _answers(self, slow: TooSlow) -> None:
        """Tell a server that hangs from one that is slow for this title. Raises `Unavailable` for the former."""
        try:
            with _verdicts():
                await self._client.models.list(timeout=CONNECT_TIMEOUT_S)
        except Transient as error:
            raise Unavailable(f"the model server hangs: {slow}") from error

    async def _admin(self, action: str, body: dict[str, str]) -> None:
        await self._client.post(f"/{action}", body=body, cast_to=str, options={"timeout": ADMIN_TIMEOUT_S})


def _objection(folder: Path, digest: str) -> str | None:
    try:
        return objection(folder, digest) if folder.is_dir() else None
    except OSError:  # no name that a file can have, or none that we may read: the server will say
        return None


@contextmanager
def _verdicts() -> Iterator[None]:
    """Turn the client's exceptions into verdicts."""
    try:
        yield
    except openai.APITimeoutError as error:
        raise TooSlow(f"the model server is too slow: {error}") from error
    except openai.APIConnectionError as error:
        raise Unavailable(f"the model server cannot be reached: {error.__cause__ or error}") from error
    except openai.APIStatusError as error:
        raise _verdict(error.status_code, error.message, error.response.headers.get("retry-after", "")) from error
    except (openai.APIError, ValueError) as error:  # ValueError: JSON that is none
        raise Transient(f"the model server answers nonsense: {error}") from error


def _verdict(status: int, message: str, retry_after: str = "") -> Exception:
    if status == 404:
        return UnknownModel(message)
    if status in DOWN:
        wish = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0  # a date is not read
        return Unavailable(f"the model server answers {status}: {message}", retry_after_s=wish)
    if status >= 500:
        return Transient(f"the model server answers {status}: {message}")
    if "context length" in message.lower():
        return TooLong(message)
    return Invalid(f"the model server answers {status}: {message}")


def _read(answer: object, seconds: float) -> Answer:
    """The client checks nothing: a server's nonsense arrives as a string or as an object with holes."""
    if not isinstance(answer, ChatCompletion) or not answer.choices or answer.choices[0].message is None:
        raise Transient("the model server answers nonsense: no choices")
    text, usage = answer.choices[0].message.content, answer.usage
    if not isinstance(text, str | None):
        raise Transient("the model server answers nonsense: the content is no text")
    return Answer(
        text=text or "",
        input_tokens=max(0, usage.prompt_tokens) if usage else 0,
        output_tokens=max(0, usage.completion_tokens) if usage else 0,
        seconds=seconds,
    )
