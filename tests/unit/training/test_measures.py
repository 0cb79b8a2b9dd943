"""The figures of single titles."""

from __future__ import annotations

import math
from uuid import uuid4

import pytest

from editorial.bertscore import Scorer
from editorial.copying import copied, novel
from training.dataset import HOLDOUT, Example, Origin
from training.measures import MEASURES, measure, overlap

ARTICLE = "Harbor Labs released a speech model for phones on Monday. It runs without a network."


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(threads=1)


def example(title: str) -> Example:
    return Example(uuid4().hex, uuid4(), 1, uuid4(), ARTICLE, title, Origin.correction, HOLDOUT, language="en")


def test_a_title_equal_to_its_reference_has_full_marks(scorer: Scorer) -> None:
    title = "Harbor Labs brings speech to phones"
    (found,) = measure(scorer, [title], [example(title)], [0.5])
    for name in ("exact", "rouge1", "rouge2", "rougeL", "bleu", "chrf", "ref_precision", "ref_f1"):
        assert found.figures[name] == pytest.approx(1.0, abs=1e-5)
    assert found.figures["loss"] == 0.5
    assert found.figures.keys() == MEASURES.keys()


def test_an_empty_title_scores_nothing_and_is_counted(scorer: Scorer) -> None:
    (found,) = measure(scorer, [" "], [example("A reference")])
    assert found.figures["empty"] == 1.0
    good = ("precision", "recall", "f1", "house_rules", "entities", "ref_f1", "rougeL", "bleu", "chrf", "exact")
    assert [found.figures[name] for name in good] == [0.0] * len(good)
    assert found.tags == ("other",)


def test_without_a_reference_only_the_article_is_compared_with(scorer: Scorer) -> None:
    (found,) = measure(scorer, ["Harbor Labs brings speech to phones"], [example("")], [math.nan])
    assert not any(MEASURES[name].needs_reference for name in found.figures)
    assert found.figures["precision"] > 0.5


def test_a_foreign_name_is_seen(scorer: Scorer) -> None:
    (found,) = measure(scorer, ["Phones learn to speak with Corvane"], [example("")])
    assert (found.figures["entities"], found.figures["house_rules"]) == (0.0, 0.0)


def test_copied_and_novel_words() -> None:
    assert copied("released a speech model", ARTICLE) == 1.0
    assert novel("released a speech model", ARTICLE) == 0.0
    assert copied("Banks like a speech model", ARTICLE) == pytest.approx(3 / 5)
    assert novel("Banks like a speech model", ARTICLE) == pytest.approx(2 / 4)
    assert copied("del for pho", ARTICLE) == pytest.approx(1 / 3)  # whole words only
    assert copied("", ARTICLE) == novel("", ARTICLE) == 0.0


def test_overlap_is_that_of_the_packages() -> None:
    found = overlap("the cat sat", "the cat slept here")
    assert found["rouge1"] == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert 0 < found["bleu"] < found["rouge1"]
    assert 0 < found["chrf"] < 1
