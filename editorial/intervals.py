"""How far a counted share can be trusted."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist


def wilson(hits: float, of: float, confidence: float = 0.95) -> tuple[float, float]:
    """Between what and what the share behind `hits` in `of` lies (Wilson 1927); 0 to 1 where nothing was counted."""
    if not of:
        return 0.0, 1.0
    z, share = NormalDist().inv_cdf((1 + confidence) / 2), hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    reach = z / (1 + z * z / of) * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - reach), min(1.0, middle + reach)
