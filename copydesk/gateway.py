"""The gateway: `POST /v1/titles` gives a service its title now, by the champion and judged as the scorer would.

The generator's own code writes the title and the scorer's own code judges it, with the versions that `adapters`
announces; nothing is written to a topic. Errors have OpenAI's form, so that its clients show the message and try again.
"""

from __future__ import annotations

import asyncio
import hmac
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from copydesk.single_title import envelope_of, write_title
from editorial.bertscore import Scorer
from editorial.cut import cut
from editorial.golden import load_golden
from editorial.scoring import TitleScorer, with_second_opinion
from infra.kafka import create_topics
from infra.observability import health
from infra.settings import Settings
from schemas.errors import Invalid, Mendable, Transient, Unavailable
from schemas.events import Article, ScoredTitle, Title
from schemas.topics import ADAPTERS
from workers.compacted import watch_compacted
from workers.ending import background
from workers.generator.admission import base_here
from workers.generator.engine import Engine
from workers.generator.rollout import Rollout
from workers.generator.shots import open_shots
from workers.generator.worker import Generator
from workers.scorer.judgement import judge
from workers.scorer.policies import Policies

ALIAS = "copydesk-champion"
TRIES = 3
SILENCE_S = 60.0
MOST_CHARACTERS = 1_000_000
MOST_BYTES = 8 * MOST_CHARACTERS
RETRY_AFTER_S = 1
TYPES = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 503: "unavailable_error"}


class Wanted(BaseModel):
    """`POST /v1/titles`."""

    text: str = Field(min_length=1, max_length=MOST_CHARACTERS, description="The article, without its headline.")
    model: str = Field(default=ALIAS, description="An alias; the gateway knows the champion only.")
    language: str = Field(default="en", min_length=2, max_length=35, description="BCP 47.")


class Broken(BaseModel):
    """A house rule that the title breaks."""

    rule: str
    reason: str


class Finished(BaseModel):
    """The answer: the title, what is thought of it, and how it came about."""

    title: str
    decision: Literal["publish", "review"]
    reasons: tuple[str, ...]
    """Why a person should look at it; empty for `publish`."""
    violations: tuple[Broken, ...]
    precision: float
    recall: float
    f1: float
    evidence: str
    scorer: str
    model: str
    model_version: str
    base_model: str
    adapter_digest: str
    prompt_version: str
    input_tokens: int
    output_tokens: int
    seconds: float
    cost_usd: float


class Gateway:
    """What a title needs, without HTTP. At most `settings.window` titles are written at a time."""

    def __init__(self, settings: Settings, engine: Engine, rollout: Rollout, scorer: TitleScorer) -> None:
        self._generator = Generator(settings, engine, rollout, open_shots(settings))
        self._scorer = scorer
        self._policies = Policies(settings, scorer.hash)
        self._room = settings.window
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scorer")  # a scorer belongs to one thread

    async def title(self, wanted: Wanted) -> Finished:
        """Write it and judge it. Raises `Invalid`, `Transient`."""
        if self._room == 0:
            raise Transient("as many titles as are allowed are being written: ask again in a second")
        self._room -= 1
        try:
            title = await write_title(self._generator, envelope_of(article(wanted), "/copydesk/gateway"), TRIES)
            loop = asyncio.get_running_loop()
            return finished(title, await loop.run_in_executor(self._thread, self._judged, title))
        finally:
            self._room += 1

    def _judged(self, title: Title) -> ScoredTitle:
        return judge([title], self._scorer, self._policies.of, audit_share=0.0)[0]


def article(wanted: Wanted) -> Article:
    """A text as the workers know articles; the same text is the same article."""
    identity = uuid5(NAMESPACE_URL, f"copydesk:gateway:{wanted.text}")
    return Article(
        article_id=identity,
        revision=1,
        url=f"urn:uuid:{identity}",
        canonical_url=f"urn:uuid:{identity}",
        source="gateway",
        feed_url="",
        headline="",
        text=wanted.text,
        language=wanted.language,
        published_at=None,
        fetched_at=datetime.now(UTC),
        content_hash="",
        story_id=identity,
        training_allowed=False,
        training_reason="sent to the gateway",
    )


def finished(title: Title, scored: ScoredTitle) -> Finished:
    """The answer's form."""
    return Finished(
        title=title.text,
        decision="review" if scored.review_reasons else "publish",
        reasons=scored.review_reasons,
        violations=tuple(Broken(rule=one.rule, reason=one.reason) for one in scored.violations),
        precision=scored.precision or 0.0,
        recall=scored.recall or 0.0,
        f1=scored.f1 or 0.0,
        evidence=scored.evidence,
        scorer=scored.scorer,
        model=ALIAS,
        model_version=title.model_version,
        base_model=title.base_model,
        adapter_digest=title.adapter_digest,
        prompt_version=title.prompt_version,
        input_tokens=title.input_tokens,
        output_tokens=title.output_tokens,
        seconds=title.latency_seconds,
        cost_usd=title.cost_usd,
    )


def make_app(settings: Settings, gateway: Gateway, rollout: Rollout, condition: health.Condition) -> FastAPI:
    """The application over a gateway; while it runs it follows `adapters`."""
    keys = [key.strip().encode() for key in settings.gateway_keys.get_secret_value().split(",") if key.strip()]

    async def beat() -> None:
        while True:
            condition.beat()
            await asyncio.sleep(1.0)

    @asynccontextmanager
    async def following(app: FastAPI) -> AsyncIterator[None]:
        work = [watch_compacted(settings, ADAPTERS, rollout.announced, rollout.current), rollout.converge(), beat()]
        tasks = [background(one) for one in work]
        condition.started()
        yield
        for task in tasks:
            task.cancel()

    def refusal(request: Request) -> HTTPException | None:
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        known = [hmac.compare_digest(key.strip().encode(), one) for one in keys]
        if kind.lower() != "bearer" or not any(known):
            return HTTPException(401, "send one of the gateway's keys as `Authorization: Bearer KEY`")
        length = request.headers.get("content-length", "")
        if request.method == "POST" and not length.isdigit():
            return HTTPException(411, "say in Content-Length how long the request is")
        return HTTPException(413, f"more than {MOST_BYTES:,} bytes") if int(length or 0) > MOST_BYTES else None

    app = FastAPI(title="Copydesk gateway", docs_url=None, redoc_url=None, lifespan=following)

    @app.middleware("http")
    async def guard(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        """Before a byte of the body is read."""
        refused = refusal(request)
        return await (_explain(request, refused) if refused else go_on(request))

    @app.post("/v1/titles")
    async def titles(wanted: Wanted) -> Finished:
        if wanted.model != ALIAS:
            raise HTTPException(404, f"no model {wanted.model!r} here: ask for {ALIAS}")
        if not wanted.text.strip():
            raise HTTPException(400, "text: it is blank")
        return await gateway.title(wanted)

    for kind in (Invalid, Transient, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _explain)
    return app


async def _explain(request: Request, error: Exception) -> JSONResponse:
    """Never repeats the text that was sent."""
    headers: dict[str, str] = {}
    match error:
        case HTTPException():
            status, words = error.status_code, str(error.detail)
        case RequestValidationError():
            fault = error.errors()[0]
            status, words = 400, f"{'.'.join(str(part) for part in fault['loc'][1:])}: {fault['msg']}"
        case Transient():
            wish = error.retry_after_s if isinstance(error, Unavailable) else 0.0
            status, words, headers = 503, str(error), {"Retry-After": str(max(RETRY_AFTER_S, math.ceil(wish)))}
        case _:
            status, words = 400, str(error)
    if status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    body = {"message": words, "type": TYPES.get(status, "invalid_request_error"), "code": status}
    return JSONResponse({"error": body}, status, headers)


def main(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises `Mendable` without a key."""
    if not settings.gateway_keys.get_secret_value().strip(" ,"):
        raise Mendable("the gateway needs a key that its clients send: set COPYDESK_GATEWAY_KEYS")
    create_topics(settings)
    engine = Engine(settings)
    golden = [cut(one.text, settings.max_article_tokens) for one in load_golden(settings.golden_examples).examples]
    rollout = Rollout(engine, base_here(settings), golden)
    scorer = with_second_opinion(Scorer(settings.scorer_model, settings.threads), settings.second_opinion_model)
    condition = health.Condition(silence_s=SILENCE_S, starting="the gateway starts")
    health.serve(
        settings.metrics_port,
        live=condition.live,
        ready=lambda: condition.ready() or rollout.ready(),
        host=settings.metrics_host,
    )
    app = make_app(settings, Gateway(settings, engine, rollout, scorer), rollout, condition)
    uvicorn.run(app, host=settings.gateway_host, port=settings.gateway_port, log_level="warning", server_header=False)
