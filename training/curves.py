"""The report's drawings as numbers: density curves laid over each other, and differences with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.measures import MEASURES

WIDTH, HEIGHT = 640, 190
POINTS = 161
_LEAST_WIDTH = 1e-3


@dataclass(frozen=True)
class Curve:
    """An SVG path of one density, closed for its area, and where its mean stands."""

    line: str
    area: str
    mean: float
    mean_value: float


@dataclass(frozen=True)
class Drawing:
    """Curves on one axis with its ticks (place, words)."""

    curves: tuple[Curve, ...]
    ticks: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT


def curves(samples: Sequence[Sequence[float]]) -> Drawing:
    """Gaussian kernel densities (Silverman's rule) of all samples on a common scale."""
    everything = np.concatenate([np.asarray(sample, dtype=float) for sample in samples])
    low, high = float(everything.min()), float(everything.max())
    margin = max((high - low) * 0.12, _LEAST_WIDTH)
    low, high = low - margin, high + margin
    at = np.linspace(low, high, POINTS)
    densities = [_density(np.asarray(sample, dtype=float), at) for sample in samples]
    top = max(float(density.max()) for density in densities)

    def x(value: float) -> float:
        return round((value - low) / (high - low) * WIDTH, 1)

    drawn = []
    for sample, density in zip(samples, densities, strict=True):
        points = [
            f"{x(float(v))},{round(HEIGHT - float(d) / top * (HEIGHT - 14), 1)}"
            for v, d in zip(at, density, strict=True)
        ]
        line = "M" + " L".join(points)
        mean = float(np.mean(sample))
        drawn.append(Curve(line, f"{line} L{WIDTH},{HEIGHT} L0,{HEIGHT} Z", x(mean), mean))
    return Drawing(tuple(drawn), tuple((x(value), _words(value, high - low)) for value in _ticks(low, high)))


def _density(sample: np.ndarray[Any, np.dtype[np.float64]], at: Any) -> Any:
    spread = min(float(sample.std()), float(np.subtract(*np.percentile(sample, [75, 25]))) / 1.34) or float(
        sample.std()
    )
    width = max(0.9 * spread * len(sample) ** -0.2, (at[-1] - at[0]) / 90)
    return np.exp(-0.5 * ((at[:, None] - sample[None, :]) / width) ** 2).sum(axis=1) / (len(sample) * width)


def _ticks(low: float, high: float) -> list[float]:
    """Round values, about six of them."""
    rough = (high - low) / 6
    size = 10.0 ** np.floor(np.log10(rough))
    step = float(next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough))
    first = float(np.ceil(low / step) * step)
    return [first + place * step for place in range(int((high - first) / step) + 1)]


def _words(value: float, width: float) -> str:
    return f"{value + 0.0:.0f}" if width > 10 else f"{value + 0.0:.2f}"


def forest(found: Mapping[str, Mapping[str, float]], shown: Sequence[str]) -> list[dict[str, Any]]:
    """Differences as places from 0 to 100 on one axis with zero in the middle, for measures between 0 and 1."""
    rows = [(name, found[name]) for name in shown if name in found]
    reach = max([0.02, *(max(abs(one["low"]), abs(one["high"])) for _, one in rows)])
    return [
        {
            "measure": MEASURES[name],
            "name": name,
            "difference": one,
            "left": 50 + 50 * one["low"] / reach,
            "middle": 50 + 50 * one["mean"] / reach,
            "right": 50 + 50 * one["high"] / reach,
            "verdict": "better" if one["low"] > 0 else "worse" if one["high"] < 0 else "open",
        }
        for name, one in rows
    ]
