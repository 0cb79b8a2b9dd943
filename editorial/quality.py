"""How good the flagger is, by its own account: from the verdicts on what it flagged and on a random audit of the rest.

Nobody looks at the titles that it lets through, but for the audit: those are drawn at random, so the share of bad ones
among them stands for all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
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


class Bin(BaseModel):
    """Titles that were told to need a correction with about the same probability, and how many of them did."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    judged: int
    told: float
    """Mean probability."""
    corrected: Share


def curve(judged: Iterable[tuple[float, bool, bool]], counts: Counts, bins: int = 5) -> tuple[Bin, ...]:
    """The calibration curve; `judged` are the probability told, whether it was corrected, and whether it was an audit.

    An audited title stands for many that nobody saw, a flagged one for itself and those that still wait. Wilson's
    interval goes by the number of titles that would say as much if each stood for one (Kish 1965).
    """
    weight = {
        True: counts.unflagged / counts.audited if counts.audited else 0.0,
        False: counts.flagged / counts.flagged_judged if counts.flagged_judged else 0.0,
    }
    inside: defaultdict[int, list[tuple[float, bool, float]]] = defaultdict(list)
    for probability, corrected, audit in judged:
        inside[min(bins - 1, int(probability * bins))].append((probability, corrected, weight[audit]))
    return tuple(_bin(at / bins, (at + 1) / bins, titles) for at, titles in sorted(inside.items()))


def _bin(low: float, high: float, titles: Sequence[tuple[float, bool, float]]) -> Bin:
    total = sum(weight for _, _, weight in titles)
    share = sum(weight for _, corrected, weight in titles if corrected) / total
    worth = total**2 / sum(weight**2 for _, _, weight in titles)
    bounds = wilson(share * worth, worth, CONFIDENCE)
    return Bin(
        low=low,
        high=high,
        judged=len(titles),
        told=sum(probability * weight for probability, _, weight in titles) / total,
        corrected=Share(estimate=share, low=bounds[0], high=bounds[1]),
    )


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
