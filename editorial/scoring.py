"""The scorer as the settings want it: BERTScore alone, or with the second opinion of an entailment model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from editorial.bertscore import Score
from editorial.entailment import Entailment


class TitleScorer(Protocol):
    """What scores titles against their articles."""

    hash: str

    def score(self, titles: Sequence[str], articles: Sequence[str]) -> list[Score]:
        """One score per pair, in their order."""


class TwoOpinions:
    """BERTScore's figures, each with how surely the evidence that it found entails the title.

    The hash names both models: what was learned from titles with one opinion is not used for titles with two.
    """

    def __init__(self, scorer: TitleScorer, entailment: Entailment) -> None:
        self._scorer = scorer
        self._entailment = entailment
        self.hash: str = f"{scorer.hash}+{entailment.hash}"

    def score(self, titles: Sequence[str], articles: Sequence[str]) -> list[Score]:
        """As `Scorer.score`, with `entailed`."""
        scores = self._scorer.score(titles, articles)
        opinions = self._entailment.judge(titles, scores)
        return [replace(score, entailed=opinion) for score, opinion in zip(scores, opinions, strict=True)]


def with_second_opinion(scorer: TitleScorer, model_name: str) -> TitleScorer:
    """Load the model that gives a second opinion; without a name the scorer remains alone.

    Raises `Invalid` for a model that knows no entailment, and where its files cannot be had.
    """
    return TwoOpinions(scorer, Entailment(model_name)) if model_name else scorer
