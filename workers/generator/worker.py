"""The generator: reads `articles`, asks the model server for a title, writes `titles`. Follows `adapters`."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from editorial import prompts, rules
from editorial.answers import clean
from editorial.cut import cut
from editorial.golden import load_golden
from editorial.similar import Curated, shown
from infra.observability import metrics, tracing
from infra.settings import Settings
from schemas.envelope import Envelope
from schemas.errors import Invalid, Transient, Unavailable
from schemas.events import Adapter, Article, Title
from schemas.topics import ADAPTERS, ARTICLES, TITLES
from workers.generator.admission import base_here
from workers.generator.engine import Answer, Engine, TooLong, TooSlow, UnknownModel
from workers.generator.rollout import Rollout
from workers.generator.shots import Shots, open_shots
from workers.stream import Lane, Outlet, background, run, watch_compacted

LEAST_ARTICLE_TOKENS = 32
"""An article cut to this that still does not fit is not to blame on the article."""


class Generator:
    """Writes a title for one article at a time; keeps count of requests over the tries of one title."""

    def __init__(self, settings: Settings, engine: Engine, rollout: Rollout, shots: Shots | None = None) -> None:
        """`shots` finds examples for models that were not tuned; without it they get the prompt's own."""
        self._shots = shots
        self._settings = settings
        self._engine = engine
        self._rollout = rollout
        self._requests: Counter[UUID] = Counter()

    async def write(self, envelope: Envelope, outlet: Outlet) -> None:
        """Handler of `articles`. The same article under the same version and prompt is the same title, with one id."""
        article = envelope.event
        assert isinstance(article, Article)
        request = article.event_id
        try:
            with self._rollout.lease(article.article_id) as adapter:
                prompt_version, examples = await self._examples(adapter, article)
                answer = await self._ask(adapter, article, prompt_version, shown(examples))
                tries = max(1, self._requests[request])  # the same article at the same time may have settled before
                written = title(article, adapter, answer, tries, self._settings, prompt_version, len(examples))
                await outlet.send(TITLES, written)
        except Invalid:
            self._requests.pop(request, None)
            raise
        self._requests.pop(request, None)

    def forget(self, request: UUID) -> None:
        """Nobody will try this one again."""
        self._requests.pop(request, None)

    async def _examples(self, adapter: Adapter, article: Article) -> tuple[str, list[Curated]]:
        """The prompt to ask with, and what it shows. An adapter's prompt is the one that it was trained with."""
        if self._shots is None or adapter.prompt_version not in prompts.TELLS_RULES:
            return adapter.prompt_version, []
        return prompts.WITH_EXAMPLES, await self._shots.find(article)

    async def _ask(
        self, adapter: Adapter, article: Article, prompt_version: str, examples: Sequence[tuple[str, str]]
    ) -> Answer:
        room = self._settings.max_article_tokens
        while True:
            prompt = prompts.render(prompt_version, cut(article.text, room), examples)
            self._requests[article.event_id] += 1
            try:
                first = await self._request(adapter.model_version, prompt)
                return await self._mended(adapter, article, prompt, first)
            except TooLong:  # the cut only estimates; the server knows
                room //= 2
                if room < LEAST_ARTICLE_TOKENS:
                    raise
            except UnknownModel as error:
                await self._rollout.restore(adapter)
                raise Unavailable(f"{adapter.model_version} is loaded again after the server forgot it") from error

    async def _mended(self, adapter: Adapter, article: Article, prompt: str, first: Answer) -> Answer:
        """One more try where a house rule is broken and the model goes by rules; the better one of the two."""
        title = clean(first.text)
        if not self._settings.firmer_retry or adapter.prompt_version not in prompts.TELLS_RULES:
            return first
        broken = rules.check(title, article.text, article.language)
        slow = first.seconds > self._settings.model_timeout_s / 4  # both have to fit into the time that a try may take
        if not broken or slow:
            return first
        firmer = prompts.firmer(prompt, title, [violation.reason for violation in broken])
        self._requests[article.event_id] += 1
        try:
            second = await self._request(adapter.model_version, firmer)
        except (Invalid, Transient):  # the first title is one, and goes on to be flagged
            return first
        still = rules.check(clean(second.text), article.text, article.language)
        # fewer faults are not enough: an empty answer has a single one
        better = {violation.rule for violation in still} < {violation.rule for violation in broken}
        return Answer(
            text=second.text if better else first.text,
            input_tokens=first.input_tokens + second.input_tokens,
            output_tokens=first.output_tokens + second.output_tokens,
            seconds=first.seconds + second.seconds,
        )

    async def _request(self, model: str, prompt: str) -> Answer:
        began = time.monotonic()
        outcome = "failed"
        try:
            with tracing.span("generator model call", model=model):
                answer = await self._engine.complete(model, prompt)
                tracing.note(input_tokens=answer.input_tokens, output_tokens=answer.output_tokens)
                outcome = "answered"
        except (Invalid, Transient) as error:
            outcome = outcome_of(error)
            raise
        finally:
            metrics.MODEL_SECONDS.labels(outcome).observe(time.monotonic() - began)
        metrics.MODEL_TOKENS.labels("input").inc(answer.input_tokens)
        metrics.MODEL_TOKENS.labels("output").inc(answer.output_tokens)
        metrics.MODEL_COST.inc(cost_usd(answer, self._settings))
        return answer


def outcome_of(error: Invalid | Transient) -> str:
    """A request's failure as the metrics name it."""
    match error:
        case Invalid():
            return "refused"
        case TooSlow():
            return "slow"
        case Unavailable():
            return "unavailable"
        case _:
            return "failed"


def cost_usd(answer: Answer, settings: Settings) -> float:
    """What an answer cost at the prices in the settings."""
    return (
        answer.input_tokens * settings.usd_per_million_input_tokens
        + answer.output_tokens * settings.usd_per_million_output_tokens
    ) / 1_000_000


def title(
    article: Article,
    adapter: Adapter,
    answer: Answer,
    attempts: int,
    settings: Settings,
    prompt_version: str,
    shots: int,
) -> Title:
    """The event for a model's answer; an empty title is a result like any other."""
    return Title(
        title_id=Title.make_id(article.article_id, article.revision, adapter.model_version, prompt_version),
        article=article,
        text=clean(answer.text),
        raw=answer.text,
        model_version=adapter.model_version,
        base_model=adapter.base_model,
        adapter_digest=adapter.digest,
        prompt_version=prompt_version,
        shots=shots,
        attempts=attempts,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        latency_seconds=answer.seconds,
        cost_usd=cost_usd(answer, settings),
    )


def main(settings: Settings) -> None:
    """Be the generator until SIGTERM."""
    engine = Engine(settings)
    tasks: list[asyncio.Task[None]] = []

    async def start() -> None:
        tasks.append(background(watch_compacted(settings, ADAPTERS, rollout.announced, rollout.current)))
        tasks.append(background(rollout.converge()))

    async def stop() -> None:
        for task in tasks:
            task.cancel()
        await engine.close()

    golden = [cut(one.text, settings.max_article_tokens) for one in load_golden(settings.golden_examples).examples]
    rollout = Rollout(engine, base_here(settings), golden)
    generator = Generator(settings, engine, rollout, open_shots(settings))
    lanes = [Lane(ARTICLES, generator.write)]
    run("generator", settings, lanes, on_start=start, on_stop=stop, ready=rollout.ready)
