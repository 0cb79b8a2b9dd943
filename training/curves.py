"""The report's drawings as numbers: density curves laid over each other, and differences with their intervals.

Places are shares of the drawing's width or height in per cent, so that a page can draw them at any size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.measures import MEASURES

POINTS = 161
TICKS = 6
_LEAST_REACH = 0.02
_Values = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Curve:
    """The SVG path of one density (x and y from 0 to 100, y downwards), and mean and standard deviation below it."""

    line: str
    mean: float
    std: float
    at_mean: float
    at_low: float
    at_high: float


@dataclass(frozen=True)
class Drawing:
    """Curves on one axis with its ticks (place, words)."""

    curves: tuple[Curve, ...]
    ticks: tuple[tuple[float, str], ...]


def curves(samples: Sequence[Sequence[float]], lowest: float = -math.inf, highest: float = math.inf) -> Drawing:
    """Gaussian kernel densities of all samples on one scale, all equally smoothed so that they can be compared.

    No value can be below `lowest` or above `highest`: what the kernels put beyond is folded back.
    """
    drawn = [np.asarray(sample, dtype=float) for sample in samples]
    low, high = min(float(one.min()) for one in drawn), max(float(one.max()) for one in drawn)
    margin = (high - low) * 0.08 or max(abs(high), 1.0) * 0.05
    low, high = max(low - margin, lowest), min(high + margin, highest)
    # Silverman's rule for each sample, and of these the mean
    silverman = float(np.mean([0.9 * one.std() * len(one) ** -0.2 for one in drawn]))
    width = max(silverman, (high - low) / 60)
    at = np.linspace(low, high, POINTS)
    densities = [_density(one, at, width, lowest, highest) for one in drawn]
    top = max(float(density.max()) for density in densities)

    def x(value: float) -> float:
        return round(min(100.0, max(0.0, 100 * (value - low) / (high - low))), 2)

    found = []
    for sample, density in zip(drawn, densities, strict=True):
        points = [f"{x(float(v))},{round(100 - 94 * float(d) / top, 2)}" for v, d in zip(at, density, strict=True)]
        mean, std = float(sample.mean()), float(sample.std())
        found.append(Curve("M" + " L".join(points), mean, std, x(mean), x(mean - std), x(mean + std)))
    return Drawing(tuple(found), tuple((x(value), _words(value, high - low)) for value in _ticks(low, high)))


def _density(sample: _Values, at: _Values, width: float, lowest: float, highest: float) -> _Values:
    mirrored = [2 * bound - sample for bound in (lowest, highest) if math.isfinite(bound)]
    centres = np.concatenate([sample, *mirrored])
    found: _Values = np.exp(-0.5 * ((at[:, None] - centres[None, :]) / width) ** 2).sum(axis=1) / (len(sample) * width)
    return found


def _ticks(low: float, high: float) -> list[float]:
    """Round values, about six of them."""
    rough = (high - low) / TICKS
    size = math.pow(10, math.floor(math.log10(rough)))
    step: float = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    first = math.ceil(low / step - 1e-9) * step
    return [first + place * step for place in range(int((high - first) / step + 1e-9) + 1)]


def _words(value: float, width: float) -> str:
    return f"{value + 0.0:.0f}" if width > 10 else f"{value + 0.0:.1f}" if width > 0.3 else f"{value + 0.0:.2f}"


def forest(found: Mapping[str, Mapping[str, Any]], measure: str) -> dict[str, Any]:
    """One measure's differences, of all models that have it: places on one axis with zero in the middle.

    `found` is by model and measure, as `report.facts_of` has it.
    """
    rows = [(model, of_model[measure]) for model, of_model in found.items() if measure in of_model]
    reach: float = max([_LEAST_REACH, *(max(abs(one["low"]), abs(one["high"])) for _, one in rows)])

    def x(value: float) -> float:
        return round(50 + 50 * value / reach, 2)

    return {
        "name": measure,
        "measure": MEASURES[measure],
        "reach": reach,
        "rows": [
            {
                "model": model,
                "difference": one,
                "left": x(one["low"]),
                "middle": x(one["mean"]),
                "right": x(one["high"]),
                "verdict": ("better" if one["mean"] > 0 else "worse") if one["beyond_chance"] else "open",
            }
            for model, one in rows
        ],
    }
