"""How sure a figure is: bootstrap intervals of a mean, and paired differences of two models on the same stories.

Efron 1979; the sign test is exact. Everything is drawn with a fixed seed: the same values give the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
RESAMPLES = 2000
CONFIDENCE = 0.95
_FEW = 4
_AT_ONCE = 2_000_000
"""Values drawn at a time: bounds the memory of a large evaluation."""


@dataclass(frozen=True)
class Interval:
    """A mean, and between which values it lies with the confidence asked for (95 %)."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """After minus before, story by story. `sign_p`: how often chance alone gives so one-sided a result (two-sided)."""

    mean: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int
    sign_p: float

    @property
    def beyond_chance(self) -> bool:
        """Both say so: the interval lies on one side of zero, and the sign test finds fewer than 5 of 100 by chance.

        With few stories the bootstrap alone is too sure of shares; the sign test alone is blind to how much.
        """
        return self.low * self.high > 0 and self.sign_p < 1 - CONFIDENCE


def interval(
    values: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES, confidence: float = CONFIDENCE
) -> Interval:
    """The mean of the values with its percentile bootstrap. Raises `ValueError` for no values or for one not finite."""
    sample = np.asarray(values, dtype=float)
    if not sample.size or not np.isfinite(sample).all():
        raise ValueError("an interval needs values, all of them finite")
    means = _resampled_means(sample, np.random.default_rng(seed), resamples)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(sample.mean()), float(low), float(high))


def _resampled_means(sample: FloatArray, random: np.random.Generator, resamples: int) -> FloatArray:
    distinct, counts = np.unique(sample, return_counts=True)
    if distinct.size <= _FEW:  # shares, mostly: how often each value comes up says all, and is drawn at once
        drawn = random.multinomial(sample.size, counts / sample.size, size=resamples)
        return np.asarray(drawn @ distinct / sample.size)
    rows = max(1, _AT_ONCE // sample.size)
    return np.concatenate(
        [
            sample[random.integers(0, sample.size, (min(rows, resamples - done), sample.size))].mean(axis=1)
            for done in range(0, resamples, rows)
        ]
    )


def paired(
    before: Sequence[float],
    after: Sequence[float],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> PairedDifference:
    """Raises `ValueError` if the two are not of the same stories, that is not equally many."""
    differences = [now - was for was, now in zip(before, after, strict=True)]
    found = interval(differences, seed=seed, resamples=resamples, confidence=confidence)
    wins, losses = sum(one > 0 for one in differences), sum(one < 0 for one in differences)
    return PairedDifference(
        found.mean, found.low, found.high, wins, losses, len(differences) - wins - losses, two_sided(wins, losses)
    )


def sign_p(lost: int, won: int) -> float:
    """How often at least so many are lost if losing and winning are equally likely (exact, one-sided)."""
    differing = lost + won
    ways = sum(math.comb(differing, count) for count in range(lost, differing + 1))
    return float(Fraction(ways, 2**differing))  # of whole numbers: 2.0 ** 1100 is more than a float holds


def two_sided(wins: int, losses: int) -> float:
    """How often chance alone divides so unequally, to either side."""
    return min(1.0, 2 * sign_p(max(wins, losses), min(wins, losses)))
