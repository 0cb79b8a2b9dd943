"""How good the flagger is, by its own account: from the verdicts on what it flagged and on a random audit of the rest.

Nobody looks at the titles that it lets through, but for the audit: those are drawn at random, so the share of bad ones
among them stands for all of them.
"""

from __future__ import annotations

from math import sqrt

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from editorial.intervals import wilson

CONFIDENCE = 0.95


class Counts(BaseModel):
    """What became of titles. A spiked article says nothing of its title: it counts among the titles, not as judged."""

    model_config = ConfigDict(frozen=True)

    flagged: NonNegativeInt
    flagged_judged: NonNegativeInt
    flagged_corrected: NonNegativeInt
    unflagged: NonNegativeInt
    """Published without a verdict, and those drawn from them for the audit."""
    audited: NonNegativeInt
    """Of those drawn, the ones with a verdict."""
    audited_corrected: NonNegativeInt


class Share(BaseModel):
    """A share (0..1), and between what and what it lies with 95 % confidence."""

    model_config = ConfigDict(frozen=True)

    estimate: float
    low: float
    high: float


class Quality(BaseModel):
    """None where there is nothing to tell it by.

    `precision`: of the flagged titles, those that needed a correction. `missed`: of the others, those that did, too.
    `recall`: of all titles that needed one, those that were flagged.
    """

    model_config = ConfigDict(frozen=True)

    counts: Counts
    precision: Share | None
    missed: Share | None
    recall: Share | None


def quality(counts: Counts) -> Quality:
    """Precision and misses with Wilson's intervals; recall lies where both together allow it.

    Recall is a ratio of two uncertain numbers. Each of them lies in its interval with a confidence of the root of 95 %,
    and they are independent, so both do with 95 %: the worst and the best that they allow bound the recall.
    """
    precision = _share(counts.flagged_corrected, counts.flagged_judged)
    missed = _share(counts.audited_corrected, counts.audited)
    return Quality(counts=counts, precision=precision, missed=missed, recall=_recall(counts, precision, missed))


def _share(hits: int, of: int) -> Share | None:
    if not of:
        return None
    low, high = wilson(hits, of, CONFIDENCE)
    return Share(estimate=hits / of, low=low, high=high)


def _recall(counts: Counts, precision: Share | None, missed: Share | None) -> Share | None:
    if precision is None or missed is None:
        return None
    each = sqrt(CONFIDENCE)
    found_low, found_high = wilson(counts.flagged_corrected, counts.flagged_judged, each)
    lost_low, lost_high = wilson(counts.audited_corrected, counts.audited, each)

    def recall(found: float, lost: float) -> float | None:
        bad = found * counts.flagged + lost * counts.unflagged
        return found * counts.flagged / bad if bad else None

    estimate = recall(precision.estimate, missed.estimate)
    low, high = recall(found_low, lost_high), recall(found_high, lost_low)
    if estimate is None or low is None or high is None:
        return None
    return Share(estimate=estimate, low=low, high=high)
