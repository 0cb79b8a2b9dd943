"""Preference tuning for real, on a tiny random model."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoTokenizer

from tests.integration.learning.test_finetune import RECIPE, corrected, train
from training.batches import Encoded, encode, pad_id
from training.dataset import Example
from training.finetune import load_base
from training.preference import Pair, margins, preference_loss, with_reference
from training.recipe import Objective, Start

DPO = RECIPE.model_copy(update={"objective": Objective.preferences, "start": Start.parent, "epochs": 4})


@pytest.fixture(scope="module")
def examples() -> tuple[Example, ...]:
    """Each with its own title before."""
    return tuple(replace(one, title_before=f"Careless {n}") for n, one in enumerate(corrected()))


@pytest.fixture(scope="module")
def adapter(tiny_base: Path, examples: tuple[Example, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first stage."""
    folder = tmp_path_factory.mktemp("first") / "v1"
    train(RECIPE.model_copy(update={"epochs": 2}), examples, tiny_base, folder)
    return folder


def pairs_of(examples: tuple[Example, ...], base: Path) -> list[Pair]:
    tokenizer = AutoTokenizer.from_pretrained(base)

    def encoded(one: Example, title: str) -> Encoded:
        return encode(tokenizer, RECIPE, one.text[:150], title)

    return [Pair(encoded(one, one.title), encoded(one, one.title_before)) for one in examples]


def log_probability(model: torch.nn.Module, one: Encoded) -> float:
    """Of a title given its prompt, token by token, with nothing beside it."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([one.ids])).logits[0].log_softmax(-1)
    return math.fsum(logits[at - 1, one.ids[at]].item() for at in range(one.prompt_tokens, len(one.ids)))


def test_the_loss_is_the_one_of_the_paper(tiny_base: Path, examples: tuple[Example, ...], adapter: Path) -> None:
    base, padding = load_base(RECIPE, str(tiny_base), "main"), pad_id(AutoTokenizer.from_pretrained(tiny_base))
    before = with_reference(base, pairs_of(examples[:5], tiny_base), 2, padding)
    reference = [log_probability(base, one.chosen) - log_probability(base, one.rejected) for one in before]
    tuned = PeftModel.from_pretrained(base, str(adapter)).eval()
    policy = [log_probability(tuned, one.chosen) - log_probability(tuned, one.rejected) for one in before]
    expected = sum(math.log1p(math.exp(-0.3 * (p - r))) for p, r in zip(policy, reference, strict=True))
    assert preference_loss(tuned, before, padding, beta=0.3).item() == pytest.approx(expected, rel=1e-3)
    assert [one.margin for one in before] == pytest.approx(reference, rel=1e-3, abs=1e-2)


def test_the_curators_titles_become_likelier_than_the_models_own(
    tiny_base: Path, examples: tuple[Example, ...], adapter: Path, tmp_path: Path
) -> None:
    log = train(DPO, examples, tiny_base, tmp_path / "v2", parent=adapter)
    assert log.losses[0] == pytest.approx(math.log(2), abs=1e-3)  # nothing has moved yet
    assert log.losses[-1] < 0.8 * math.log(2)
    padding = pad_id(AutoTokenizer.from_pretrained(tiny_base))
    gained = []
    for folder in (adapter, tmp_path / "v2"):
        tuned = PeftModel.from_pretrained(load_base(RECIPE, str(tiny_base), "main"), str(folder)).eval()
        with torch.inference_mode():
            gained.append(margins(tuned, pairs_of(examples, tiny_base), padding))
    assert (gained[1] > gained[0]).float().mean() > 0.9


def test_a_killed_preference_training_goes_on_with_the_same_reference(
    tiny_base: Path, examples: tuple[Example, ...], adapter: Path, tmp_path: Path
) -> None:
    whole = train(DPO, examples, tiny_base, tmp_path / "whole", parent=adapter)

    def stop(step: object) -> None:
        if str(step).startswith("step 8 "):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(DPO, examples, tiny_base, tmp_path / "x", parent=adapter, checkpoints=tmp_path / "c", progress=stop)
    again = train(DPO, examples, tiny_base, tmp_path / "again", parent=adapter, checkpoints=tmp_path / "c")
    assert again.resumed_at > 0
    assert again.losses == whole.losses


def test_titles_that_nobody_changed_teach_no_preference(
    tiny_base: Path, examples: tuple[Example, ...], adapter: Path, tmp_path: Path
) -> None:
    approved = tuple(replace(one, title_before=one.title) for one in examples[:4])
    with pytest.raises(ValueError, match="no title that a curator changed"):
        train(DPO, approved, tiny_base, tmp_path / "v2", parent=adapter)
    log = train(DPO, (*approved, *examples[4:]), tiny_base, tmp_path / "v2", parent=adapter)
    assert log.examples == len(examples) - 4
