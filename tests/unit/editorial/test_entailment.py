from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import BertForMaskedLM, BertForSequenceClassification, PreTrainedTokenizerFast

from editorial.bertscore import Score, Scorer, WordSupport
from editorial.entailment import Entailment, entailment_label, premises_of
from editorial.flagger import signs
from editorial.scoring import with_second_opinion
from schemas.errors import Invalid
from tests.entailment_model import DEEDS, LABELS, THINGS, TOWNS, classifier, config

EVIDENCE = "Fulda opens a bridge."


def a_score(evidence: str = EVIDENCE, words: Sequence[WordSupport] = ()) -> Score:
    return Score(0.9, 0.5, 0.6, evidence, tuple(words))


def test_a_title_that_follows_from_its_evidence_is_told_from_one_with_another_name(entailment_model: Path) -> None:
    opinion = Entailment(str(entailment_model))

    follows, does_not = opinion.judge(["Fulda opens bridge", "Hamm opens bridge"], [a_score(), a_score()])

    assert follows > 0.9
    assert does_not < 0.1


def test_which_label_means_entailment_is_read_from_the_checkpoint(entailment_model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other-order"
    model = BertForSequenceClassification.from_pretrained(entailment_model)
    model.config.id2label = {0: "entailment", 1: "neutral", 2: "contradiction"}
    with torch.no_grad():
        order = torch.tensor([2, 1, 0])
        model.classifier.weight.copy_(model.classifier.weight[order].clone())
        model.classifier.bias.copy_(model.classifier.bias[order].clone())
    model.save_pretrained(other)
    PreTrainedTokenizerFast.from_pretrained(entailment_model).save_pretrained(other)
    titles, premises = ["Fulda opens bridge", "Hamm opens bridge"], [EVIDENCE, EVIDENCE]

    assert Entailment(str(other)).probabilities(premises, titles) == pytest.approx(
        Entailment(str(entailment_model)).probabilities(premises, titles), abs=1e-6
    )


def test_the_label_not_entailment_is_not_taken_for_entailment() -> None:
    assert entailment_label("two-way", {0: "not_entailment", 1: "entailment"}) == 1


def test_a_model_without_such_a_label_is_refused_with_its_labels_and_a_way_out(tmp_path: Path) -> None:
    classifier({0: "LABEL_0", 1: "LABEL_1"}).save_pretrained(tmp_path)

    with pytest.raises(Invalid, match=r"none of its labels \(LABEL_0, LABEL_1\) is `entailment`.*id2label"):
        Entailment(str(tmp_path))


def test_a_model_whose_classifying_weights_are_missing_is_refused_rather_than_drawn_at_random(tmp_path: Path) -> None:
    BertForMaskedLM(config(LABELS)).save_pretrained(tmp_path)  # type: ignore[no-untyped-call]

    with pytest.raises(Invalid, match="no weights to classify with"):
        Entailment(str(tmp_path))


def test_a_model_that_is_not_there_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"^the entailment model '.*nowhere' cannot be loaded: .*$"):
        Entailment(str(tmp_path / "nowhere"))


def test_an_opinion_does_not_depend_on_what_else_is_asked(entailment_model: Path) -> None:
    opinion = Entailment(str(entailment_model))
    pairs = [
        (f"{town} {deed} a {thing}.", f"Emden {deed} {thing}") for town in TOWNS for deed in DEEDS for thing in THINGS
    ]
    premises, titles = zip(*pairs, strict=True)

    together = opinion.probabilities(premises, titles)

    alone = [opinion.probabilities([premise], [title])[0] for premise, title in pairs]
    assert together == pytest.approx(alone, abs=1e-5)


def test_the_model_reads_the_evidence_alone_and_with_the_sentences_of_single_words() -> None:
    words = [WordSupport("Fulda", 0.9, EVIDENCE), WordSupport("buys", 0.8, "Hamm buys a market.")]

    assert premises_of(a_score(words=words)) == [EVIDENCE, f"{EVIDENCE} Hamm buys a market."]
    assert premises_of(a_score()) == [EVIDENCE]


def test_the_premise_that_speaks_best_for_a_title_counts(entailment_model: Path) -> None:
    opinion = Entailment(str(entailment_model))
    score = a_score(words=[WordSupport("Hamm", 0.8, "Hamm opens a bridge."), WordSupport("buys", 0.8, "Emden buys.")])
    titles = ["Fulda opens bridge", "Hamm opens bridge", "Emden opens bridge"]

    asked = [opinion.probabilities(premises_of(score), [title] * 2) for title in titles]

    assert opinion.judge(titles, [score] * 3) == pytest.approx([max(both) for both in asked], abs=1e-5)
    assert {both[0] > both[1] for both in asked} == {True, False}


@pytest.mark.parametrize("title", ["", "Fulda " * 20_000, "Fulda \ud800\x00 opens", "🌊" * 300])
def test_strange_titles_get_an_opinion_too(entailment_model: Path, title: str) -> None:
    (found,) = Entailment(str(entailment_model)).judge([title], [a_score("Fulda opens. " * 200)])

    assert 0 <= found <= 1


def test_where_there_is_no_evidence_nothing_is_entailed(entailment_model: Path) -> None:
    assert Entailment(str(entailment_model)).judge(["Fulda opens"], [a_score("")]) == [0.0]


def test_two_opinions_score_as_one_scorer_whose_hash_names_both(entailment_model: Path) -> None:
    alone = Scorer(threads=1)
    both = with_second_opinion(alone, str(entailment_model))
    titles, articles = ["Fulda opens bridge", "Hamm opens bridge", ""], [f"{EVIDENCE} Hamm sells the market."] * 3

    scores = both.score(titles, articles)

    assert [score.precision for score in scores] == pytest.approx(
        [one.precision for one in alone.score(titles, articles)]
    )
    follows, does_not, empty = [score.entailed or 0.0 for score in scores]
    assert follows > 0.9 > 0.5 > does_not
    assert empty == 0
    assert both.hash.startswith(f"{alone.hash}+nli_tiny-nli_")


def test_without_a_model_the_scorer_remains_alone() -> None:
    alone = Scorer(threads=1)

    assert with_second_opinion(alone, "") is alone


def test_a_model_with_other_weights_has_another_hash(entailment_model: Path, tmp_path: Path) -> None:
    other = tmp_path / "tiny-nli"
    model = BertForSequenceClassification.from_pretrained(entailment_model)
    with torch.no_grad():
        model.classifier.bias.add_(0.5)
    model.save_pretrained(other)
    PreTrainedTokenizerFast.from_pretrained(entailment_model).save_pretrained(other)

    assert Entailment(str(other)).hash != Entailment(str(entailment_model)).hash


def test_the_flagger_looks_at_the_second_opinion_only_where_there_is_one() -> None:
    assert signs("Fulda opens bridge", EVIDENCE, replace(a_score(), entailed=0.25), ())["not entailed"] == 0.75
    assert "not entailed" not in signs("Fulda opens bridge", EVIDENCE, a_score(), ())
