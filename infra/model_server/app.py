"""The HTTP side. Status codes are vLLM's: 400 for a request that cannot be served, 404 for an unknown model or path,
503 with `Retry-After` when too much waits."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from infra.artefacts import WEIGHTS, WHOLE, objection
from infra.model_server.batcher import Batcher, Completion, Prompt, QueueFull
from infra.model_server.engine import (
    BASE,
    AdapterBroken,
    AdapterLoaded,
    AdapterMissing,
    Engine,
)
from infra.model_server.protocol import (
    ChatMessage,
    ChatRequest,
    ChatResponse,
    Choice,
    ErrorDetail,
    ErrorResponse,
    LoadAdapter,
    ModelCard,
    ModelList,
    TokenizeRequest,
    TokenizeResponse,
    UnloadAdapter,
    Usage,
)
from infra.observability import metrics, tracing
from infra.observability.health import answer

ERROR_TYPES = {400: "BadRequestError", 404: "NotFoundError", 500: "InternalServerError", 503: "ServiceUnavailable"}
GONE_POLL_S = 0.5
"""Seconds between two looks whether the client is still there."""
CLIENT_GONE = 499
CHAT = "/v1/chat/completions"
T = TypeVar("T")


class Refusal(Exception):
    """A request that is answered with an error; the message is for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def create_app(engine: Engine, batcher: Batcher) -> FastAPI:
    """The server over a loaded engine and a running batcher."""
    app = FastAPI(title="Copydesk model server", docs_url=None, redoc_url=None)
    served = _Served(engine, batcher)

    @app.exception_handler(Refusal)
    async def refuse(request: Request, refusal: Refusal) -> Response:
        if request.url.path == CHAT:
            metrics.SERVER_REQUESTS.labels(refusal.status).inc()
        return _error(refusal.status, str(refusal))

    @app.exception_handler(RequestValidationError)
    async def refuse_form(request: Request, error: RequestValidationError) -> Response:
        if request.url.path == CHAT:
            metrics.SERVER_REQUESTS.labels(400).inc()
        fault = error.errors()[0]
        return _error(400, f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}")

    @app.get("/health")
    async def health() -> Response:
        return Response(status_code=200)

    @app.get("/metrics")
    async def measured() -> Response:
        status, kind, body = answer("/metrics", {})
        return Response(body, status, media_type=kind)

    @app.get("/v1/models")
    async def models() -> ModelList:
        return served.cards()

    @app.post(CHAT)
    async def chat(request: ChatRequest, connection: Request) -> ChatResponse:
        parent = connection.headers.get("traceparent", "")
        with tracing.span("model-server chat", parent) if parent else nullcontext():
            return await served.chat(request, connection)

    @app.post("/tokenize")
    async def tokenize(request: TokenizeRequest) -> TokenizeResponse:
        return served.tokenize(request)

    @app.post("/v1/load_lora_adapter")
    async def load(request: LoadAdapter) -> Response:
        await served.load(request.lora_name, Path(request.lora_path), request.digest)
        return PlainTextResponse(f"Success: LoRA adapter '{request.lora_name}' added successfully.")

    @app.post("/v1/unload_lora_adapter")
    async def unload(request: UnloadAdapter) -> Response:
        await served.unload(request.lora_name)
        return PlainTextResponse(f"Success: LoRA adapter '{request.lora_name}' removed successfully.")

    return app


class _Served:
    """Which names are open to requests; it lives on the event loop and needs no lock."""

    def __init__(self, engine: Engine, batcher: Batcher) -> None:
        self._engine = engine
        self._batcher = batcher
        self._adapters: dict[str, tuple[str, int]] = {}
        self._changing = asyncio.Lock()
        self._started = int(time.time())

    def cards(self) -> ModelList:
        context = self._engine.context
        base = ModelCard(id=BASE, created=self._started, root=self._engine.name, parent=None, max_model_len=context)
        tuned = [
            ModelCard(id=name, created=created, root=path, parent=BASE, max_model_len=context)
            for name, (path, created) in self._adapters.items()
        ]
        return ModelList(data=[base, *tuned])

    async def load(self, name: str, path: Path, digest: str) -> None:
        async with self._changing:
            if reason := await asyncio.to_thread(_objection, path, digest):
                raise Refusal(400, f"Loading lora {name} failed: {reason}")
            try:
                await asyncio.wrap_future(self._batcher.between_batches(lambda: self._engine.load_adapter(name, path)))
            except AdapterMissing as error:
                raise Refusal(404, str(error)) from error
            except (AdapterBroken, AdapterLoaded) as error:
                raise Refusal(400, str(error)) from error
            self._adapters[name] = (str(path), int(time.time()))
            metrics.SERVER_ADAPTERS.set(len(self._adapters))

    async def unload(self, name: str) -> None:
        async with self._changing:
            if self._adapters.pop(name, None) is None:
                raise Refusal(404, f"The lora adapter '{name}' cannot be found.")
            metrics.SERVER_ADAPTERS.set(len(self._adapters))
            await asyncio.wrap_future(self._batcher.after_adapter(name, lambda: self._engine.unload_adapter(name)))

    def tokenize(self, request: TokenizeRequest) -> TokenizeResponse:
        self._must_know(request.model)
        tokens = self._token_ids(request.messages)
        return TokenizeResponse(count=len(tokens), max_model_len=self._engine.context, tokens=list(tokens))

    async def chat(self, request: ChatRequest, connection: Request) -> ChatResponse:
        prompt = self._prompt(request)
        self._must_know(request.model)
        try:
            answer = self._batcher.submit(request.model, prompt)
        except QueueFull as error:
            raise Refusal(503, str(error)) from error
        completion = await _unless_gone(answer, connection)
        metrics.SERVER_REQUESTS.labels(200).inc()
        return _response(request, prompt, completion)

    def _must_know(self, model: str) -> None:
        if model != BASE and model not in self._adapters:
            raise Refusal(404, f"The model `{model}` does not exist.")

    def _token_ids(self, messages: list[ChatMessage]) -> tuple[int, ...]:
        try:
            return self._engine.tokenize([message.model_dump() for message in messages])
        except Exception as error:  # chat templates are small programs and raise what they like
            raise Refusal(400, f"the chat template refused the messages: {error}") from error

    def _prompt(self, request: ChatRequest) -> Prompt:
        token_ids = self._token_ids(request.messages)
        room = self._engine.context - len(token_ids)
        wanted = request.max_completion_tokens or request.max_tokens or max(room, 1)
        if wanted > room:
            raise Refusal(
                400,
                f"This model's maximum context length is {self._engine.context} tokens. However, you requested "
                f"{wanted} output tokens and your prompt contains {len(token_ids)} input tokens.",
            )
        return Prompt(token_ids, wanted, request.temperature, request.top_p, request.seed)


def _objection(path: Path, digest: str) -> str | None:
    """The engine itself says what is missing."""
    there = os.access(path / WEIGHTS, os.R_OK) or os.access(path / WHOLE, os.R_OK)
    return objection(path, digest) if there else None


async def _unless_gone(answer: Future[T], connection: Request) -> T:
    """Wait for the answer; a client that hung up before its batch began costs nothing."""
    waiting = asyncio.wrap_future(answer)
    while True:
        done, _ = await asyncio.wait({waiting}, timeout=GONE_POLL_S)
        if done:
            return waiting.result()
        if await connection.is_disconnected():
            waiting.cancel()
            raise Refusal(CLIENT_GONE, "the client has gone")


def _response(request: ChatRequest, prompt: Prompt, completion: Completion) -> ChatResponse:
    text, finish_reason = completion.text, completion.finish_reason
    for stop in request.stops:
        if stop and stop in text:
            text, finish_reason = text[: text.index(stop)], "stop"
    read, written = len(prompt.token_ids), completion.output_tokens
    return ChatResponse(
        id=f"chatcmpl-{uuid4().hex}",
        created=int(time.time()),
        model=request.model,
        choices=[Choice(message=ChatMessage(role="assistant", content=text), finish_reason=finish_reason)],
        usage=Usage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written),
    )


def _error(status: int, message: str) -> Response:
    kind = ERROR_TYPES.get(status, "Error")
    body = ErrorResponse(error=ErrorDetail(message=message, type=kind, code=status))
    return JSONResponse(body.model_dump(), status, headers={"Retry-After": "1"} if status == 503 else None)
