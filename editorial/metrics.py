"""What a set of judged titles amounts to: the figures that evaluation prints and the gate compares."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from editorial.tags import TAG_OF_RULE, TAGS
from schemas.events import Violation


@dataclass(frozen=True)
class Judged:
    """One title with its BERTScore precision (0..1) and the house rules it breaks."""

    title: str
    precision: float
    violations: tuple[Violation, ...]

    @property
    def tags(self) -> frozenset[str]:
        """The error tags its violations stand for."""
        return frozenset(TAG_OF_RULE[violation.rule] for violation in self.violations)


@dataclass(frozen=True)
class Summary:
    """All shares are 0..1 of `n`; with n = 0 every figure is 0."""

    n: int
    house_rules_pass: float
    """Share that breaks no house rule."""
    entities_right: float
    """Share that is not empty and has no name or figure foreign to the article."""
    precision_mean: float
    precision_std: float
    """Standard deviation over the titles (of the population, not of a sample)."""
    by_tag: dict[str, float]
    """For each error tag the share of titles that carry it; a title may carry several."""


def summarise(judged: Sequence[Judged]) -> Summary:
    """The figures of one set of titles."""
    n = len(judged)
    precisions = [one.precision for one in judged]
    return Summary(
        n=n,
        house_rules_pass=_share(n, sum(not one.violations for one in judged)),
        entities_right=_share(n, sum(bool(one.title.strip()) and "not_in_article" not in one.tags for one in judged)),
        precision_mean=statistics.fmean(precisions) if precisions else 0.0,
        precision_std=statistics.pstdev(precisions) if precisions else 0.0,
        by_tag={tag: _share(n, sum(tag in one.tags for one in judged)) for tag in TAGS},
    )


def _share(n: int, count: int) -> float:
    return count / n if n else 0.0
