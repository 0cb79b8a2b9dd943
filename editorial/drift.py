"""Have the scores of a source shifted? A site that changed its pages, or its subject, shows there first.

The two-sample test of Kolmogorov and Smirnov compares a source's newest scores with those before. There are so few of
them that only a wide shift, of most of a standard deviation, is told from chance: the small ones help nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

RECENT = 60
"""The newest scores of a source."""
BEFORE = 400
"""At most so many before those."""
LEAST_BEFORE = 100
CHANCE = 0.001
"""Of a false alarm when all sources are looked at once and nothing has changed."""


@dataclass(frozen=True)
class Shift:
    """The scores of a source are no longer what they were. `distance` is that of Kolmogorov and Smirnov, 0..1."""

    source: str
    before: float
    """Median."""
    recent: float
    distance: float
    p_value: float

    def __str__(self) -> str:
        way = "fallen" if self.recent < self.before else "risen"
        return (
            f"the scores of {self.source} have {way}: the median of the newest {RECENT} is {self.recent:.2f}, "
            f"before it was {self.before:.2f} (Kolmogorov-Smirnov {self.distance:.2f}, p {self.p_value:.1g})"
        )


def shifts(scores: Mapping[str, Sequence[float]]) -> list[Shift]:
    """The sources whose scores have shifted; `scores` of each the oldest first, all made by one model and one scorer.

    A source with too few scores is left out. The chance of a false alarm is divided among the others (Bonferroni).
    """
    from scipy.stats import ks_2samp  # slow to import, and the editorial package is imported by every command

    enough = {source: list(values) for source, values in scores.items() if len(values) >= RECENT + LEAST_BEFORE}
    found = []
    for source, values in sorted(enough.items()):
        recent, before = values[-RECENT:], values[-RECENT - BEFORE : -RECENT]
        test = ks_2samp(before, recent, method="asymp")  # the exact one takes long and fails with ties
        if test.pvalue < CHANCE / len(enough):
            found.append(Shift(source, median(before), median(recent), float(test.statistic), float(test.pvalue)))
    return found
