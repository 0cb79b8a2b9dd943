from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, PreTrainedTokenizerFast

from editorial.bertscore import Score, Scorer, WordSupport
from editorial.entailment import Entailment, entailment_label, premises_of
from editorial.flagger import signs
from editorial.scoring import with_second_opinion
from schemas.errors import Invalid

TOWNS = ("Amberg", "Emden", "Fulda", "Hamm")
DEEDS = ("opens", "closes", "buys", "sells")
THINGS = ("harbour", "bridge", "library", "market")
INPUTS = ["input_ids", "token_type_ids", "attention_mask"]
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LABELS = {0: "contradiction", 1: "neutral", 2: "ENTAILMENT"}
EVIDENCE = "Fulda opens a bridge."


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that has learned to tell from a sentence which titles follow: those with the same town."""
    folder = tmp_path_factory.mktemp("entailment") / "tiny-nli"
    tokenizer, model = _tokenizer(), _classifier(LABELS)
    _teach(model, tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    words = [*SPECIAL, *(word.lower() for word in (*TOWNS, *DEEDS, *THINGS)), "a", "the", "today", "."]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    named = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, model_max_length=64, model_input_names=INPUTS, **named
    )


def _config(labels: dict[int, str]) -> BertConfig:
    settings: dict[str, Any] = {"vocab_size": 64, "max_position_embeddings": 64, "hidden_size": 32}
    settings |= {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    settings |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.1}
    return BertConfig(id2label=labels, **settings)


def _classifier(labels: dict[int, str]) -> BertForSequenceClassification:
    torch.manual_seed(7)
    return BertForSequenceClassification(_config(labels))  # type: ignore[no-untyped-call]


def _teach(model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerFast) -> None:
    chance = random.Random(7)
    learning = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(400):
        premises, hypotheses, truths = [], [], []
        for _ in range(32):
            town, deed, thing = chance.choice(TOWNS), chance.choice(DEEDS), chance.choice(THINGS)
            same = chance.random() < 0.5
            other = town if same else chance.choice([one for one in TOWNS if one != town])
            premises.append(f"{town} {deed} a {thing}.")
            hypotheses.append(f"{other} {deed} {thing}")
            truths.append(2 if same else 0)
        batch = tokenizer(premises, hypotheses, padding=True, return_tensors="pt")
        loss = torch.nn.functional.cross_entropy(model(**batch).logits, torch.tensor(truths))
        learning.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        learning.step()
    model.eval()  # type: ignore[no-untyped-call]


def a_score(evidence: str = EVIDENCE, words: Sequence[WordSupport] = ()) -> Score:
    return Score(0.9, 0.5, 0.6, evidence, tuple(words))


def test_a_title_that_follows_from_its_evidence_is_told_from_one_with_another_name(checkpoint: Path) -> None:
    opinion = Entailment(str(checkpoint))

    follows, does_not = opinion.judge(["Fulda opens bridge", "Hamm opens bridge"], [a_score(), a_score()])

    assert follows > 0.9
    assert does_not < 0.1


def test_which_label_means_entailment_is_read_from_the_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "other-order"
    model = BertForSequenceClassification.from_pretrained(checkpoint)
    model.config.id2label = {0: "entailment", 1: "neutral", 2: "contradiction"}
    with torch.no_grad():
        order = torch.tensor([2, 1, 0])
        model.classifier.weight.copy_(model.classifier.weight[order].clone())
        model.classifier.bias.copy_(model.classifier.bias[order].clone())
    model.save_pretrained(other)
    PreTrainedTokenizerFast.from_pretrained(checkpoint).save_pretrained(other)
    titles, premises = ["Fulda opens bridge", "Hamm opens bridge"], [EVIDENCE, EVIDENCE]

    assert Entailment(str(other)).probabilities(premises, titles) == pytest.approx(
        Entailment(str(checkpoint)).probabilities(premises, titles), abs=1e-6
    )


def test_the_label_not_entailment_is_not_taken_for_entailment() -> None:
    assert entailment_label("two-way", {0: "not_entailment", 1: "entailment"}) == 1


def test_a_model_without_such_a_label_is_refused_with_its_labels_and_a_way_out(tmp_path: Path) -> None:
    _classifier({0: "LABEL_0", 1: "LABEL_1"}).save_pretrained(tmp_path)

    with pytest.raises(Invalid, match=r"none of its labels \(LABEL_0, LABEL_1\) is `entailment`.*id2label"):
        Entailment(str(tmp_path))


def test_a_model_whose_classifying_weights_are_missing_is_refused_rather_than_drawn_at_random(tmp_path: Path) -> None:
    BertForMaskedLM(_config(LABELS)).save_pretrained(tmp_path)  # type: ignore[no-untyped-call]

    with pytest.raises(Invalid, match="no weights to classify with"):
        Entailment(str(tmp_path))


def test_a_model_that_is_not_there_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"^the entailment model '.*nowhere' cannot be loaded: .*$"):
        Entailment(str(tmp_path / "nowhere"))


def test_an_opinion_does_not_depend_on_what_else_is_asked(checkpoint: Path) -> None:
    opinion = Entailment(str(checkpoint))
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


def test_the_premise_that_speaks_best_for_a_title_counts(checkpoint: Path) -> None:
    opinion = Entailment(str(checkpoint))
    score = a_score(words=[WordSupport("Hamm", 0.8, "Hamm opens a bridge."), WordSupport("buys", 0.8, "Emden buys.")])
    titles = ["Fulda opens bridge", "Hamm opens bridge", "Emden opens bridge"]

    asked = [opinion.probabilities(premises_of(score), [title] * 2) for title in titles]

    assert opinion.judge(titles, [score] * 3) == pytest.approx([max(both) for both in asked], abs=1e-5)
    assert {both[0] > both[1] for both in asked} == {True, False}


@pytest.mark.parametrize("title", ["", "Fulda " * 20_000, "Fulda \ud800\x00 opens", "🌊" * 300])
def test_strange_titles_get_an_opinion_too(checkpoint: Path, title: str) -> None:
    (found,) = Entailment(str(checkpoint)).judge([title], [a_score("Fulda opens. " * 200)])

    assert 0 <= found <= 1


def test_where_there_is_no_evidence_nothing_is_entailed(checkpoint: Path) -> None:
    assert Entailment(str(checkpoint)).judge(["Fulda opens"], [a_score("")]) == [0.0]


def test_two_opinions_score_as_one_scorer_whose_hash_names_both(checkpoint: Path) -> None:
    alone = Scorer(threads=1)
    both = with_second_opinion(alone, str(checkpoint))
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


def test_a_model_with_other_weights_has_another_hash(checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "tiny-nli"
    model = BertForSequenceClassification.from_pretrained(checkpoint)
    with torch.no_grad():
        model.classifier.bias.add_(0.5)
    model.save_pretrained(other)
    PreTrainedTokenizerFast.from_pretrained(checkpoint).save_pretrained(other)

    assert Entailment(str(other)).hash != Entailment(str(checkpoint)).hash


def test_the_flagger_looks_at_the_second_opinion_only_where_there_is_one() -> None:
    assert signs("Fulda opens bridge", EVIDENCE, replace(a_score(), entailed=0.25), ())["not entailed"] == 0.75
    assert "not entailed" not in signs("Fulda opens bridge", EVIDENCE, a_score(), ())
