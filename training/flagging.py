"""What curators said of models' titles, learned with every training: a calibration of the flagger, and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

from editorial import calibration, rules, vocabulary
from editorial.acronyms import Vocabulary
from editorial.calibration import Judged
from editorial.flagger import Calibration, signs
from editorial.scoring import TitleScorer
from infra.settings import Settings
from schemas.events import Verdict
from schemas.records import ArticleRow, CorrectionRow
from training.dataset.tables import Tables

MOST = 2000
"""Verdicts that are learned from, the newest ones: models change, and scoring takes time."""


def learn(tables: Tables, scorer: TitleScorer, settings: Settings) -> Calibration | None:
    """From the newest verdicts; None while there are too few of either kind.

    A spiked article says nothing of its title and is left out. Titles that nobody was shown have no verdict: the
    audited ones, drawn at random from them, each stand for `1 / audit_share` titles.
    """
    articles = {(article.article_id, article.revision): article for article in tables.articles}
    newest = sorted(tables.corrections, key=lambda row: (row.decided_at, row.correction_id.bytes))[-MOST:]
    rows = [
        row
        for row in newest
        if row.verdict != Verdict.spiked and row.title_before.strip() and (row.article_id, row.revision) in articles
    ]
    judged = _judged(rows, articles, tables.audited, scorer, 1 / settings.audit_share if settings.audit_share else 1.0)
    return calibration.fit(judged, scorer.hash, review_share(settings, tables.titles_per_day))


def review_share(settings: Settings, titles_per_day: float) -> float:
    """What share (0..1) of the titles people have time for."""
    if not settings.review_per_day or not titles_per_day:
        return settings.review_share
    return min(1.0, settings.review_per_day / titles_per_day)


def learn_words(tables: Tables) -> Vocabulary:
    """What our readers know and what they do not, from the latest verdict on each title; spiked ones say nothing."""
    ordered = sorted(tables.corrections, key=lambda row: (row.decided_at, row.correction_id.bytes))
    latest = {row.title_id: row for row in ordered}
    return vocabulary.learn(
        vocabulary.Struck(row.title_before, row.title_after, tuple(row.error_tags))
        for row in latest.values()
        if row.verdict != Verdict.spiked
    )


def _judged(
    rows: Sequence[CorrectionRow],
    articles: Mapping[tuple[UUID, int], ArticleRow],
    audited: AbstractSet[UUID],
    scorer: TitleScorer,
    audit_weight: float,
) -> list[Judged]:
    texts = [articles[row.article_id, row.revision] for row in rows]
    scores = scorer.score([row.title_before for row in rows], [article.text for article in texts])
    found = []
    for row, article, score in zip(rows, texts, scores, strict=True):
        violations = rules.check(row.title_before, article.text, article.language)
        found.append(
            Judged(
                signs(row.title_before, article.text, score, violations),
                corrected=row.verdict == Verdict.corrected,
                weight=audit_weight if row.title_id in audited else 1.0,
            )
        )
    return found
