"""From titles to verdicts: BERTScore, house rules, the flagger. Pure but for the model that is handed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from editorial import flagger, rules
from editorial.bertscore import Score
from editorial.flagger import Policy
from editorial.scoring import TitleScorer
from schemas.events import Origin, ScoredTitle, Title


def nothing_known(source: str, fetched_at: datetime) -> None:
    """Of any source."""


def judge(
    titles: Sequence[Title],
    scorer: TitleScorer,
    policy_of: Callable[[str], Policy],
    audit_share: float,
    lowest_of: Callable[[str, datetime], float | None] = nothing_known,
) -> list[ScoredTitle]:
    """One scored title per title, in their order; it belongs on `review` if it has review reasons, else on `published`.

    `policy_of` a model version says by what its titles are judged; `lowest_of` a source on a day what poor support is
    there, as long as nothing was learned.

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
        )
        for title, score in zip(titles, scores, strict=True)
    ]


def _scored(title: Title, score: Score, scorer_hash: str, policy: Policy, audit_share: float) -> ScoredTitle:
    violations = rules.check(title.text, title.article.text, title.article.language, learned=policy.learned)
    draw = flagger.drawn(title.title_id, audit_share)
    decision = flagger.decide(title.text, title.article.text, score, violations, policy, audit_draw=draw)
    return ScoredTitle(
        title_id=title.title_id,
        article_id=title.article.article_id,
        revision=title.article.revision,
        story_id=title.article.story_id,
        url=title.article.url,
        source=title.article.source,
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
