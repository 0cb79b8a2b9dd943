"""Learns from curators' verdicts which titles need a correction, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from editorial.flagger import Calibration

FILE = "flagger.json"
"""In a model version's artefact: the flagger is refitted with every training, and versioned and digested with it."""

FEWEST = 20
"""Of each kind, corrected and approved; from fewer nothing is learned."""
_STRENGTH = 1.0
"""Of scikit-learn's L2 penalty, C: weights of rare signs stay small."""


@dataclass(frozen=True)
class Judged:
    """A title's signs (`editorial.flagger.signs`) and what a curator said of it.

    `weight` is the number of titles that it stands for: an audited one stands for all that were not drawn.
    """

    signs: Mapping[str, float]
    corrected: bool
    weight: float = 1.0


def fit(judged: Sequence[Judged], scorer: str, review_share: float) -> Calibration | None:
    """A calibration whose cutoff sends about `review_share` (0..1) of all titles to review; None if too few verdicts.

    Logistic regression, as in Platt 1999 (Probabilistic Outputs for Support Vector Machines), over all signs that the
    titles show; the weights are those of a plain sum, so that each verdict can be explained.
    """
    from sklearn.linear_model import LogisticRegression  # slow to import, and only trainings need it

    corrected = sum(one.corrected for one in judged)
    if min(corrected, len(judged) - corrected) < FEWEST:
        return None
    names = sorted({name for one in judged for name in one.signs})
    table = [[one.signs.get(name, 0.0) for name in names] for one in judged]
    weights = [one.weight for one in judged]
    model = LogisticRegression(C=_STRENGTH, max_iter=2000).fit(table, [one.corrected for one in judged], weights)
    learned = Calibration(
        scorer=scorer,
        verdicts=len(judged),
        corrected=corrected,
        intercept=float(model.intercept_[0]),
        weights=dict(zip(names, map(float, model.coef_[0]), strict=True)),
        cutoff=1.0,
    )
    return learned.model_copy(update={"cutoff": cutoff(learned, judged, review_share)})


def cutoff(calibration: Calibration, judged: Sequence[Judged], review_share: float) -> float:
    """The probability above which `review_share` (0..1) of the titles lie, each by its weight."""
    ranked = sorted(((calibration.probability(one.signs), one.weight) for one in judged), reverse=True)
    budget = review_share * sum(weight for _, weight in ranked)
    lowest = 1.0
    for probability, weight in ranked:
        if weight > budget:
            break
        budget -= weight
        lowest = probability
    return lowest


def reliability(calibration: Calibration, judged: Sequence[Judged], bins: int = 10) -> list[tuple[float, float, float]]:
    """The calibration curve: per bin of equal width the mean probability, the share corrected, and the weight."""
    grouped: dict[int, list[tuple[float, Judged]]] = {}
    for one in judged:
        probability = calibration.probability(one.signs)
        grouped.setdefault(min(bins - 1, math.floor(probability * bins)), []).append((probability, one))
    curve = []
    for _, inside in sorted(grouped.items()):
        weight = sum(one.weight for _, one in inside)
        mean = sum(probability * one.weight for probability, one in inside) / weight
        curve.append((mean, sum(one.weight for _, one in inside if one.corrected) / weight, weight))
    return curve


def save(calibration: Calibration, artefact: Path) -> None:
    """Into a model version's folder."""
    (artefact / FILE).write_text(calibration.model_dump_json(indent=1))


def load(artefact: Path, scorer: str) -> Calibration | None:
    """That of a model version, if it has one that was learned with this scorer (by its hash)."""
    file = artefact / FILE
    if not file.is_file():
        return None
    found = Calibration.model_validate_json(file.read_bytes())
    return found if found.scorer == scorer else None
