"""Publish, or ask a person? One pure decision per title, with its reasons in words."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from schemas.events import Violation

_DRAW_BYTES = 8
# of 120 real headlines of at most 60 characters it flags 2 %, of 160 house titles of the simulated press under 5 %, and
# every one of as many headlines put over the wrong article
_LOWEST_FEW_PERCENT = {"minilm": 0.58}


def default_threshold(scorer_model: str) -> float:
    """The precision below which a title goes to review, for scorers that were calibrated; 0 (none) for others.

    Values of different models do not compare: a new scoring model needs a threshold of its own.
    """
    return _LOWEST_FEW_PERCENT.get(scorer_model, 0.0)


@dataclass(frozen=True)
class Decision:
    """What happens to a title. `reasons` is empty exactly when it is published; an audited title is not published."""

    publish: bool
    reasons: tuple[str, ...]
    audit: bool


def decide(precision: float, violations: Sequence[Violation], threshold: float, audit_draw: bool) -> Decision:
    """Review for a broken house rule, for a precision (0..1) under `threshold`, or when drawn for audit; else publish.

    `audit` is True only for a title that nothing spoke against: the share of bad ones among those estimates what the
    flagger misses.
    """
    reasons = tuple(violation.reason for violation in violations)
    if precision < threshold:
        reasons += (f"The article supports it poorly: precision {precision:.2f}, below {threshold:.2f}.",)
    if reasons:
        return Decision(publish=False, reasons=reasons, audit=False)
    if audit_draw:
        return Decision(publish=False, reasons=("A random sample: nothing spoke against it.",), audit=True)
    return Decision(publish=True, reasons=(), audit=False)


def drawn(title_id: UUID, share: float) -> bool:
    """True for about `share` (0..1) of all titles, and for the same titles every time: a replay audits no others."""
    number = int.from_bytes(hashlib.sha256(title_id.bytes).digest()[:_DRAW_BYTES])
    return number < share * (1 << 8 * _DRAW_BYTES)
