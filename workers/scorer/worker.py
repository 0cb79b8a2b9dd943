"""The scorer: reads `titles`, judges them in batches, writes each to `published` or `review`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from editorial import flagger
from editorial.bertscore import Scorer
from infra.settings import Settings
from schemas.envelope import Envelope
from schemas.events import ScoredTitle, Title
from schemas.topics import PUBLISHED, REVIEW, TITLES
from workers.scorer.batcher import Batcher
from workers.scorer.judgement import judge
from workers.stream import Lane, Outlet, run


def main(settings: Settings) -> None:
    """Run until SIGTERM."""
    scorer = Scorer(settings.scorer_model, settings.threads)
    threshold = settings.review_precision_below or flagger.default_threshold(settings.scorer_model)
    work = partial(judge, scorer=scorer, threshold=threshold, audit_share=settings.audit_share)
    with ThreadPoolExecutor(1, thread_name_prefix="scorer") as executor:  # one thread: the model is not for several
        run("scorer", settings, [lane(Batcher(work, executor, settings.window))])


def lane(batcher: Batcher[Title, ScoredTitle]) -> Lane:
    """Judge what is on `titles`."""

    async def handle(envelope: Envelope, outlet: Outlet) -> None:
        title = envelope.event
        assert isinstance(title, Title)  # the window lets nothing else through
        scored = await batcher.submit(title)
        await outlet.send(REVIEW if scored.review_reasons else PUBLISHED, scored)

    return Lane(TITLES, handle)
