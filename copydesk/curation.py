"""A teacher's titles on the desk: the events that bring them there, and what the curators made of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from editorial.intervals import wilson
from schemas.events import Article, ScoredTitle, Title, Verdict
from schemas.records import CorrectionRow
from training.dataset import Example

REASON = "a teacher wrote it: is it fit to be learned?"


def article(example: Example, at: datetime) -> Article:
    """The article as the newsroom would have found it; an import knows neither its address nor its headline."""
    return Article(
        article_id=example.article_id,
        revision=example.revision,
        url="",
        canonical_url=f"urn:uuid:{example.article_id}",
        source=example.source or "data set",
        feed_url="",
        headline=example.columns.get("headline", ""),
        text=example.text,
        language=example.language or "en",
        published_at=None,
        fetched_at=at,
        content_hash=hashlib.sha256(example.text.encode()).hexdigest(),
        story_id=example.story_id,
        training_allowed=True,
        training_reason="",
    )


def title(example: Example, at: datetime) -> Title:
    """The teacher's title; the same every time it is made."""
    return Title(
        title_id=title_id(example),
        article=article(example, at),
        text=example.title,
        raw=example.title,
        model_version=example.model_version,
        base_model=example.model_version,
        adapter_digest="",
        prompt_version=example.prompt_version,
        shots=0,
        attempts=1,
        input_tokens=0,
        output_tokens=0,
        latency_seconds=0.0,
        cost_usd=0.0,
    )


def title_id(example: Example) -> UUID:
    """What the desk calls this title."""
    return Title.make_id(example.article_id, example.revision, example.model_version, example.prompt_version)


def for_review(scored: ScoredTitle) -> ScoredTitle:
    """Whatever the scorer thinks of it, a person is to look."""
    return scored.model_copy(update={"review_reasons": (*scored.review_reasons, REASON), "audit": False})


@dataclass(frozen=True)
class Verdicts:
    """What became of a teacher's titles: the latest verdict on each."""

    titles: int
    by_verdict: Counter[str]
    by_tag: Counter[str]

    @property
    def judged(self) -> int:
        return self.by_verdict.total()

    @property
    def share_fit(self) -> float | None:
        """Share of the judged ones that needed no correction."""
        return self.by_verdict[Verdict.approved] / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Between what and what that share lies for all such titles, with 95 % confidence (Wilson 1927)."""
        if self.share_fit is None:
            return None
        return wilson(self.by_verdict[Verdict.approved], self.judged)


def count(examples: Sequence[Example], corrections: Iterable[CorrectionRow]) -> Verdicts:
    """The account of these titles; `corrections` may hold others'."""
    ids = {title_id(one) for one in examples}
    rows = sorted(corrections, key=lambda row: (row.decided_at, row.correction_id.bytes))
    latest = {row.title_id: row for row in rows if row.title_id in ids}
    tags = Counter(tag for row in latest.values() if row.verdict != Verdict.approved for tag in row.error_tags)
    return Verdicts(len(ids), Counter(row.verdict for row in latest.values()), tags)
