"""What is measured of one title: each figure a number per title, so means, intervals and slices come from one list.

ROUGE and BLEU/chrF are those of the packages rouge-score and sacrebleu. Shares are 0..1, as are ROUGE, BLEU and chrF.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import grapheme

from editorial import rules
from editorial.bertscore import Scorer
from editorial.copying import copied, novel
from editorial.tags import TAG_OF_RULE
from training.dataset import Example

NAN = math.nan


@dataclass(frozen=True)
class Measure:
    """How a figure is called, what it means, and how it is to be read."""

    label: str
    meaning: str
    needs_reference: bool = False
    higher_is_better: bool | None = True
    share: bool = False
    """Printed as per cent."""


MEASURES: dict[str, Measure] = {
    "precision": Measure("precision", "BERTScore of the title's words against the article"),
    "recall": Measure("recall", "BERTScore of the article's words against the title", higher_is_better=None),
    "f1": Measure("F1", "BERTScore's harmonic mean against the article", higher_is_better=None),
    "house_rules": Measure("house rules", "titles that break no house rule", share=True),
    "entities": Measure("names right", "titles whose names and figures all stand in the article", share=True),
    "ref_precision": Measure("precision (ref.)", "BERTScore precision against the reference title", True),
    "ref_recall": Measure("recall (ref.)", "BERTScore recall against the reference title", True),
    "ref_f1": Measure("F1 (ref.)", "BERTScore F1 against the reference title", True),
    "rouge1": Measure("ROUGE-1", "words shared with the reference title (F1)", True),
    "rouge2": Measure("ROUGE-2", "pairs of words shared with the reference title (F1)", True),
    "rougeL": Measure("ROUGE-L", "longest common sequence of words with the reference title (F1)", True),
    "bleu": Measure("BLEU", "BLEU of each title against the reference title, smoothed", True),
    "chrf": Measure("chrF", "stretches of characters shared with the reference title", True),
    "exact": Measure("exact", "titles equal to the reference title", True, share=True),
    "loss": Measure("loss", "nats per token of the reference title; its exponential is the perplexity", True, False),
    "length": Measure("length", "characters as a reader counts them", higher_is_better=None),
    "copied": Measure("copied", "words of the title in its longest stretch taken from the article", False, None, True),
    "novel": Measure("novel", "pairs of words of the title that are not in the article", False, None, True),
    "empty": Measure("empty", "titles without a word", higher_is_better=False, share=True),
}  # fmt: skip
"""Every measure in the order of the tables."""


@dataclass(frozen=True)
class MeasuredTitle:
    """One title with its figures by the names of `MEASURES` (those that cannot be had are left out), and its tags."""

    title: str
    figures: Mapping[str, float]
    tags: tuple[str, ...]
    reasons: tuple[str, ...] = field(default=())


def measure(
    scorer: Scorer, titles: Sequence[str], examples: Sequence[Example], losses: Sequence[float] | None = None
) -> list[MeasuredTitle]:
    """Judge each title against its article, and against the example's title where there is one.

    `losses` are the model's own, of the reference titles; a loss that is not a number was not to be had.
    """
    against_article = scorer.score(titles, [example.text for example in examples])
    against_reference = scorer.score(titles, [example.title for example in examples])
    measured = []
    for at, (title, example) in enumerate(zip(titles, examples, strict=True)):
        violations = rules.check(title, example.text, example.language)
        tags = tuple(sorted({TAG_OF_RULE[one.rule] for one in violations}))
        score, to_reference = against_article[at], against_reference[at]
        figures = {
            "precision": score.precision,
            "recall": score.recall,
            "f1": score.f1,
            "house_rules": float(not violations),
            "entities": float(bool(title.strip()) and "not_in_article" not in tags),
            "length": float(grapheme.length(title)),
            "copied": copied(title, example.text),
            "novel": novel(title, example.text),
            "empty": float(not title.strip()),
        }
        if example.title.strip():
            figures |= {
                "ref_precision": to_reference.precision,
                "ref_recall": to_reference.recall,
                "ref_f1": to_reference.f1,
                "exact": float(" ".join(title.split()) == " ".join(example.title.split())),
            } | overlap(title, example.title)
            if losses is not None and math.isfinite(losses[at]):
                figures["loss"] = losses[at]
        measured.append(MeasuredTitle(title, figures, tags, tuple(one.reason for one in violations)))
    return measured


def overlap(title: str, reference: str) -> dict[str, float]:
    """ROUGE, BLEU and chrF of one title; all 0 for an empty one."""
    if not title.strip():
        return dict.fromkeys(("rouge1", "rouge2", "rougeL", "bleu", "chrf"), 0.0)
    rouge, bleu, chrf = _counters()
    found = {name: float(score.fmeasure) for name, score in rouge.score(reference, title).items()}
    return found | {
        "bleu": float(bleu.sentence_score(title, [reference]).score) / 100,
        "chrf": float(chrf.sentence_score(title, [reference]).score) / 100,
    }


@cache
def _counters() -> tuple[Any, Any, Any]:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    return RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True), BLEU(effective_order=True), CHRF()
