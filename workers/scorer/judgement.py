"""From titles to verdicts: BERTScore, house rules, the flagger. Pure but for the model that is handed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from editorial import flagger, rules
from editorial.bertscore import Score
from editorial.flagger import Policy
from editorial.scoring import TitleScorer
from schemas.events import Article, Origin, ScoredTitle, Title


def nothing_known(source: str, fetched_at: datetime) -> None:
    """Of any source."""


def nothing_out(article: Article) -> tuple[str, ...]:
    """On any story."""
    return ()


def judge(
    titles: Sequence[Title],
    scorer: TitleScorer,
    policy_of: Callable[[str], Policy],
    audit_share: float,
    lowest_of: Callable[[str, datetime], float | None] = nothing_known,
    out_on: Callable[[Article], Sequence[str]] = nothing_out,
) -> list[ScoredTitle]:
    """One scored title per title, in their order; it belongs on `review` if it has review reasons, else on `published`.

    `policy_of` a model version says by what its titles are judged; `lowest_of` a source on a day what poor support is
    there, as long as nothing was learned; `out_on` which titles are out on an article's story.

    The same title gets the same verdict every time, the draw for the audit included.
    """
    scores = scorer.score([title.text for title in titles], [title.article.text for title in titles])
    return [
        _scored(
            title,
            score,
            scorer.hash,
            policy_of(title.model_version).of_source(lowest_of(title.article.source, title.article.fetched_at)),
            audit_share,
            out_on(title.article),
        )
        for title, score in zip(titles, scores, strict=True)
    ]


def _scored(
    title: Title, score: Score, scorer_hash: str, policy: Policy, audit_share: float, out: Sequence[str]
) -> ScoredTitle:
    article = title.article
    violations = rules.check(title.text, article.text, article.language, learned=policy.learned, published=out)
    draw = flagger.drawn(title.title_id, audit_share)
    decision = flagger.decide(title.text, article.text, score, violations, policy, audit_draw=draw)
    return ScoredTitle(
        title_id=title.title_id,
        article_id=article.article_id,
        revision=article.revision,
        story_id=article.story_id,
        url=article.url,
        source=article.source,
        text=title.text,
        origin=Origin.model,
        verdict=None,
        correction_id=None,
        model_version=title.model_version,
        prompt_version=title.prompt_version,
        precision=score.precision,
        recall=score.recall,
        f1=score.f1,
        scorer=scorer_hash,
        evidence=score.evidence,
        violations=violations,
        review_reasons=decision.reasons,
        audit=decision.audit,
        probability=decision.probability,
    )
