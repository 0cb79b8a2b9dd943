"""The scorer: reads `titles`, judges them in batches, writes each to `published` or `review`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from editorial.bertscore import Scorer
from editorial.scoring import TitleScorer, with_second_opinion
from infra.database import make_engine
from infra.observability import metrics, tracing
from infra.settings import Settings
from schemas.envelope import Envelope
from schemas.events import Origin, ScoredTitle, Title
from schemas.topics import PUBLISHED, REVIEW, TITLES
from workers.scorer.batcher import Batcher
from workers.scorer.judgement import judge
from workers.scorer.policies import Policies
from workers.scorer.read_model import ReadModel
from workers.stream import Lane, Outlet, run


class Judge:
    """The scoring model, loaded when the worker starts, and what is done with it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._scorer: TitleScorer | None = None
        self._policies: Policies | None = None
        self._read_model: ReadModel | None = None

    def load(self) -> None:
        """Load the model. Blocks for seconds."""
        bertscore = Scorer(self._settings.scorer_model, self._settings.threads)
        scorer = with_second_opinion(bertscore, self._settings.second_opinion_model)
        self._scorer, self._policies = scorer, Policies(self._settings, scorer.hash)
        self._read_model = ReadModel(make_engine(self._settings), scorer.hash, self._settings.review_share)

    def ready(self) -> str | None:
        """None once the model is loaded."""
        return None if self._scorer is not None else "the scoring model loads"

    def __call__(self, titles: Sequence[Title]) -> list[ScoredTitle]:
        """Judge titles together; `load` comes first."""
        assert self._scorer is not None, "on_start comes before the first message"
        assert self._policies is not None
        assert self._read_model is not None
        metrics.SCORE_BATCH.observe(len(titles))
        with metrics.SCORE_SECONDS.time():
            share, known = self._settings.audit_share, self._read_model
            return judge(titles, self._scorer, self._policies.of, share, known.lowest, known.out)


def main(settings: Settings) -> None:
    """Run until SIGTERM."""
    judging = Judge(settings)
    with ThreadPoolExecutor(1, thread_name_prefix="scorer") as executor:  # one thread: the model is not for several

        async def start() -> None:
            await asyncio.get_running_loop().run_in_executor(executor, judging.load)

        lanes = [lane(Batcher(judging, executor, settings.window))]
        run("scorer", settings, lanes, on_start=start, ready=judging.ready)


def count(title: Title, scored: ScoredTitle) -> None:
    """What the dashboards want to know of a title that has been judged and sent."""
    decision = "audit" if scored.audit else "flagged" if scored.review_reasons else "published"
    metrics.TITLES_SCORED.labels(decision).inc()
    if decision == "published":
        metrics.FETCHED_TO_PUBLISHED.labels(Origin.model).observe(
            (datetime.now(UTC) - title.article.fetched_at).total_seconds()
        )


def lane(batcher: Batcher[Title, ScoredTitle]) -> Lane:
    """Judge what is on `titles`."""

    async def handle(envelope: Envelope, outlet: Outlet) -> None:
        title = envelope.event
        assert isinstance(title, Title)  # the window lets nothing else through
        with tracing.span("scorer scoring model"):
            scored = await batcher.submit(title)
        await outlet.send(REVIEW if scored.review_reasons else PUBLISHED, scored)
        count(title, scored)

    return Lane(TITLES, handle)
