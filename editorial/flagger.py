"""Publish, or ask a person? One pure decision per title, with its reasons in words.

A house rule that is broken always asks a person. Beside the rules stands the original's way, a threshold for BERTScore
precision, until curators' verdicts have taught better: a calibration then gives the probability that a title needs a
correction (`editorial/calibration.py` learns it), and the threshold retires.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from uuid import UUID

import grapheme
from pydantic import BaseModel, ConfigDict

from editorial.acronyms import NOTHING_LEARNED, Vocabulary
from editorial.bertscore import Score, WordSupport
from editorial.figures import article_values, read_figures
from editorial.names import fold, in_title_case
from schemas.events import Violation

_DRAW_BYTES = 8
# of 120 real headlines of at most 60 characters it flags 2 %, of 160 house titles of the simulated press under 5 %, and
# every one of as many headlines put over the wrong article
_LOWEST_FEW_PERCENT = {"minilm": 0.58}
_WORD = re.compile(r"[^\W_]+(?:[-.,'’][^\W_]+)*")
_COUNTED = 500  # characters of a title that are looked at


def default_threshold(scorer_model: str) -> float:
    """The precision below which a title goes to review, for scorers that were calibrated; 0 (none) for others.

    Values of different models do not compare: a new scoring model needs a threshold of its own.
    """
    return _LOWEST_FEW_PERCENT.get(scorer_model, 0.0)


class Calibration(BaseModel):
    """What verdicts taught: a logistic regression over the signs, and from which probability on a person looks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scorer: str
    """Hash of the scorer whose figures it learned from; those of another mean something else."""
    verdicts: int
    corrected: int
    intercept: float
    weights: dict[str, float]
    cutoff: float
    """Probability (0..1)."""

    def probability(self, signs: Mapping[str, float]) -> float:
        """That the title needs a correction, 0..1; a sign without a weight counts nothing."""
        told = self.intercept + sum(self.weights.get(name, 0.0) * value for name, value in signs.items())
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, told))))


@dataclass(frozen=True)
class Policy:
    """By what a title is judged: the threshold (0: none), or the calibration where there is one."""

    threshold: float
    calibration: Calibration | None = None
    learned: Vocabulary = NOTHING_LEARNED
    """What curators taught about words, for the house rules."""
    fixed: bool = False
    """The operator chose the threshold: no source has one of its own."""

    def of_source(self, lowest: float | None) -> Policy:
        """For a source whose own titles say what poor support is there; where there is a calibration, that decides."""
        if lowest is None or self.fixed:
            return self
        return replace(self, threshold=lowest)


@dataclass(frozen=True)
class Decision:
    """What happens to a title. `reasons` is empty exactly when it is published; an audited title is not published.

    `probability` (0..1) that it needs a correction; None without a calibration.
    """

    publish: bool
    reasons: tuple[str, ...]
    audit: bool
    probability: float | None = None


def decide(
    title: str, article: str, score: Score, violations: Sequence[Violation], policy: Policy, *, audit_draw: bool
) -> Decision:
    """Review for a broken house rule, for poor support, or when drawn for audit; else publish.

    `audit` is True only for a title that nothing spoke against: the share of bad ones among those estimates what the
    flagger misses.
    """
    reasons = tuple(violation.reason for violation in violations)
    probability = None
    if policy.calibration is not None:
        probability = policy.calibration.probability(signs(title, article, score, violations))
        if probability >= policy.calibration.cutoff:
            reasons += (f"Likely to need a correction: {probability:.0%}.{_weakest(score)}",)
    elif score.precision < policy.threshold:
        reasons += (
            f"The article supports it poorly: precision {score.precision:.2f}, below {policy.threshold:.2f}."
            f"{_weakest(score)}",
        )
    if reasons:
        return Decision(publish=False, reasons=reasons, audit=False, probability=probability)
    if audit_draw:
        reasons = ("A random sample: nothing spoke against it.",)
        return Decision(publish=False, reasons=reasons, audit=True, probability=probability)
    return Decision(publish=True, reasons=(), audit=False, probability=probability)


def signs(title: str, article: str, score: Score, violations: Sequence[Violation]) -> dict[str, float]:
    """What a calibration looks at, each about 0..1, more of it being worse but for the length.

    `unsupported` is 1 - precision; its square, 1 where half of the support is missing, lets a title that has nothing to
    do with the article outweigh one wrong word. `weakest word` is 1 minus the support of the worst word, and of the
    worst one of those that the article does not have as they are written: of all, with a capital or a digit, with a
    digit. A capital tells less of a word that opens the title, and of any word in Title Case, so these count apart.
    `new number` is stricter than the house rule, which lets lists and years pass. `not entailed` is there where a
    second opinion is.
    """
    known = article_words(article)
    absent = [one for one in score.words if not _has(known, fold(one.word))]
    names = [one for one in absent if any(char.isupper() or char.isdigit() for char in one.word)]
    numbers = [one for one in absent if any(char.isdigit() for char in one.word)]

    def worst(words: Sequence[WordSupport]) -> float:
        return max((1 - one.support for one in words), default=0.0)

    found = {
        "unsupported": 1 - score.precision,
        "unsupported, squared": (2 * (1 - score.precision)) ** 2,
        "weakest word": worst(score.words),
        "weakest new word": worst(absent),
        "weakest new name": worst(names),
        "weakest new number": worst(numbers),
        "weakest new opening": worst([one for one in score.words[:1] if one in names]),
        "new words": len(absent) / len(score.words) if score.words else 1.0,
        "new number": float(_states_new_number(title[:_COUNTED], article)),
        "length": grapheme.length(title[:_COUNTED]) / 60,
    }
    if in_title_case(title[:_COUNTED], article):
        found |= {"Title Case": 1.0, "weakest new name in Title Case": found["weakest new name"]}
    if score.entailed is not None:
        found["not entailed"] = 1 - score.entailed
    return found | {f"rule {violation.rule}": 1.0 for violation in violations}


@lru_cache(maxsize=256)
def article_words(article: str) -> frozenset[str]:
    """The article's words, folded; a compound also by its parts."""
    words = _WORD.findall(fold(article))
    return frozenset(words) | {part for word in words for part in _parts(word)}


def _has(known: frozenset[str], word: str) -> bool:
    """A compound and a possessive (AI-powered, Fulda's) also by its parts."""
    return word in known or all(part in known for part in _parts(word) if part != "s")


def _parts(word: str) -> list[str]:
    """3.5 has none: it is neither a 3 nor a 5."""
    return re.split(r"[-'’]" if any(char.isdigit() for char in word) else r"[-.,'’]", word)


def _states_new_number(title: str, article: str) -> bool:
    stated = [figure.value for figure in read_figures(title)]
    return bool(stated) and not article_values(article).issuperset(stated)


def drawn(title_id: UUID, share: float) -> bool:
    """True for about `share` (0..1) of all titles, and for the same titles every time: a replay audits no others."""
    number = int.from_bytes(hashlib.sha256(title_id.bytes).digest()[:_DRAW_BYTES])
    return number < share * (1 << 8 * _DRAW_BYTES)


def _weakest(score: Score) -> str:
    weakest = score.weakest
    return f" Weakest word: “{weakest.word}”." if weakest else ""
