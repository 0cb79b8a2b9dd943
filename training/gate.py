"""The gate: may the challenger take the champion's place? A pure decision on two evaluations of the same stories.

A share of n titles is uncertain by about one standard error, sqrt(p (1 - p) / n). Where the challenger must not be
worse, it may be worse by that noise; where it must be better, the gain must be real to count.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from schemas.training import Metrics

MIN_STORIES = 10
"""Fewer held-out stories decide nothing."""
PRECISION_MARGIN = 0.05
"""House titles say less of the article's own words than careless ones: a small loss of BERTScore is no loss."""
MAX_EMPTY_OTHER = 0.1
"""More titles than this share with the tag `other` (empty, leaked prompt, several lines) mean a collapsed model."""
MIN_FIRST_PASS = 0.5
"""A first model has no champion to be compared with; at least this share of its titles must pass the rules."""


@dataclass(frozen=True)
class Verdict:
    """`reasons` has one sentence per condition, those that refuse first."""

    passed: bool
    reasons: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The verdict in one sentence."""
        return f"{'passed' if self.passed else 'refused'}: {self.reasons[0]}"


@dataclass(frozen=True)
class _Condition:
    met: bool
    words: str


def judge(champion: Metrics | None, challenger: Metrics) -> Verdict:
    """Compare evaluations of the same held-out stories. Without a champion only absolute thresholds count."""
    conditions = _absolute(challenger) if champion is None else _relative(champion, challenger)
    conditions.append(_collapse(challenger))
    if challenger.n < MIN_STORIES:
        conditions.insert(0, _Condition(False, f"only {challenger.n} held-out stories, {MIN_STORIES} are needed"))
    ordered = sorted(conditions, key=lambda condition: condition.met)
    return Verdict(all(condition.met for condition in ordered), tuple(condition.words for condition in ordered))


def _absolute(challenger: Metrics) -> list[_Condition]:
    met = challenger.house_rules_pass >= MIN_FIRST_PASS
    return [_Condition(met, f"house rules kept by {challenger.house_rules_pass:.0%} (needed: {MIN_FIRST_PASS:.0%})")]


def _relative(champion: Metrics, challenger: Metrics) -> list[_Condition]:
    if champion.n != challenger.n:
        return [_Condition(False, f"evaluated on different stories: {champion.n} and {challenger.n}")]
    return [
        _rules(champion, challenger),
        _entities(champion, challenger),
        _precision(champion, challenger),
        *_tags(champion, challenger),
    ]


def _rules(champion: Metrics, challenger: Metrics) -> _Condition:
    before, after = champion.house_rules_pass, challenger.house_rules_pass
    fewer_errors = sum(challenger.by_tag.values()) < sum(champion.by_tag.values())
    return _Condition(
        after > before or (after == before and fewer_errors),
        f"house rules kept by {before:.0%} before, {after:.0%} after",
    )


def _entities(champion: Metrics, challenger: Metrics) -> _Condition:
    before, after = champion.entities_right, challenger.entities_right
    allowed = _noise(before, champion.n)
    return _Condition(
        after >= before - allowed,
        f"names and figures right in {before:.0%} before, {after:.0%} after (allowed loss: {allowed:.1%})",
    )


def _precision(champion: Metrics, challenger: Metrics) -> _Condition:
    before, after = champion.precision_mean, challenger.precision_mean
    return _Condition(
        after >= before - PRECISION_MARGIN,
        f"precision {before:.3f} before, {after:.3f} after (allowed loss: {PRECISION_MARGIN})",
    )


def _tags(champion: Metrics, challenger: Metrics) -> list[_Condition]:
    conditions = []
    for tag in sorted(champion.by_tag.keys() | challenger.by_tag.keys()):
        before, after = champion.by_tag.get(tag, 0.0), challenger.by_tag.get(tag, 0.0)
        allowed = _noise(before, champion.n)
        if after > before:
            words = f"error {tag} in {before:.0%} before, {after:.0%} after (allowed rise: {allowed:.1%})"
            conditions.append(_Condition(after <= before + allowed, words))
    return conditions


def _collapse(challenger: Metrics) -> _Condition:
    share = challenger.by_tag.get("other", 0.0)
    return _Condition(share <= MAX_EMPTY_OTHER, f"{share:.0%} of the titles are empty or broken")


def _noise(share: float, n: int) -> float:
    """One standard error of a share; for shares near 0 or 1 never less than that of one title in `n`."""
    return max(sqrt(share * (1 - share) / n), 1 / n) if n else 0.0
