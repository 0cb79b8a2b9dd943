"""Titles of the held-out stories by an adapter, and what they amount to.

The engine is the model server's and the judgement is the scorer's: what passes here is what will be served and flagged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Protocol
from uuid import UUID

from editorial import answers, prompts, rules
from editorial.bertscore import Scorer
from editorial.metrics import Judged, summarise
from infra.model_server.batcher import Prompt
from infra.model_server.engine import Engine
from schemas.training import Metrics, Pair

BATCH = 16
Progress = Callable[[str], None]


class Story(Protocol):
    """What is needed of a held-out article; the newsroom's rows have it."""

    @property
    def article_id(self) -> UUID: ...
    @property
    def headline(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def language(self) -> str: ...


def write_titles(
    engine: Engine,
    adapter: str,
    articles: Sequence[str],
    *,
    prompt_version: str,
    max_title_tokens: int,
    progress: Progress = print,
) -> list[str]:
    """One greedy title per article (already cut to length), cleaned as in serving."""
    tokenized = [
        engine.tokenize([{"role": "user", "content": prompts.render(prompt_version, article)}]) for article in articles
    ]
    order = sorted(range(len(articles)), key=lambda index: len(tokenized[index]))
    titles = [""] * len(articles)
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        batch = [Prompt(tokenized[index], max_title_tokens) for index in chosen]
        for index, completion in zip(chosen, engine.complete(adapter, batch), strict=True):
            titles[index] = answers.clean(completion.text)
        progress(f"{min(start + BATCH, len(order))} of {len(order)} held-out stories titled by {adapter}")
    return titles


def judge_titles(scorer: Scorer, titles: Sequence[str], articles: Sequence[Story]) -> list[Judged]:
    """Each title with its precision and the rules it breaks, against the whole article as the scorer sees it."""
    scores = scorer.score(titles, [article.text for article in articles])
    return [
        Judged(title, score.precision, rules.check(title, article.text, article.language))
        for title, score, article in zip(titles, scores, articles, strict=True)
    ]


def metrics_of(judged: Sequence[Judged]) -> Metrics:
    """The summary, as a run reports it."""
    return Metrics.model_validate(asdict(summarise(judged)))


def pair_up(articles: Sequence[Story], before: Sequence[Judged], after: Sequence[Judged]) -> tuple[Pair, ...]:
    """The same stories before and after, those first where the most errors went away."""
    pairs = [
        Pair(
            article_id=article.article_id,
            headline=article.headline,
            before=was.title,
            after=now.title,
            tags_before=tuple(sorted(was.tags)),
            tags_after=tuple(sorted(now.tags)),
            precision_before=was.precision,
            precision_after=now.precision,
        )
        for article, was, now in zip(articles, before, after, strict=True)
    ]
    return tuple(sorted(pairs, key=lambda pair: len(pair.tags_after) - len(pair.tags_before)))
