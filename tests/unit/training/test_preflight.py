"""What a training will take, against what it takes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, PreTrainedConfig

from training.batches import Encoded, title_loss
from training.checkpoint import fingerprint
from training.finetune import add_adapter
from training.preflight import CONTAINERS, Shape, advice, estimate, left_in_container
from training.recipe import Method, Quantization, Recipe

SMALL = LlamaConfig(
    vocab_size=4000,
    hidden_size=128,
    intermediate_size=344,
    num_hidden_layers=3,
    num_attention_heads=8,
    num_key_value_heads=4,
)
MISTRAL_7B = MistralConfig(
    vocab_size=32000,
    hidden_size=4096,
    intermediate_size=14336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
)
LLAMA_13B = LlamaConfig(
    vocab_size=32000,
    hidden_size=5120,
    intermediate_size=13824,
    num_hidden_layers=40,
    num_attention_heads=40,
)


def kept_by_autograd(config: PreTrainedConfig, recipe: Recipe, shape: Shape, dtype: torch.dtype) -> int:
    """Bytes that a forward pass keeps for the backward one, the weights left aside."""
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]
    if recipe.method is Method.lora:
        model = add_adapter(model, recipe, None)
    model.train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    ids = tuple(number % config.vocab_size for number in range(shape.tokens))
    batch = [Encoded(ids, shape.tokens - shape.title_tokens)] * shape.examples
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = title_loss(model, batch, 0)
        assert loss.requires_grad
        return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize(
    ("method", "device", "dtype"),
    [
        (Method.lora, "cpu", torch.float32),
        (Method.full, "cpu", torch.float32),
        (Method.lora, "cuda", torch.bfloat16),  # only the precision of the base differs on a GPU
    ],
)
def test_activations_are_what_autograd_keeps(method: Method, device: str, dtype: torch.dtype) -> None:
    recipe, shape = Recipe(method=method), Shape(examples=4, tokens=192, title_tokens=16)

    foreseen = estimate(recipe, SMALL, shape, device, free=0)

    kept = kept_by_autograd(SMALL, recipe, shape, dtype)
    assert 0.9 < (foreseen.activations + foreseen.logits) / kept < 1.4


def test_seven_billion_parameters_take_what_has_been_published() -> None:
    one = Shape(examples=1, tokens=1024, title_tokens=32)

    whole = estimate(Recipe(method=Method.full), MISTRAL_7B, one, "cuda", free=80 << 30)
    adapter = estimate(Recipe(gradient_checkpointing=True), MISTRAL_7B, one, "cuda", free=24 << 30)
    nf4 = estimate(
        Recipe(quantization=Quantization.nf4, gradient_checkpointing=True), LLAMA_13B, one, "cuda", free=24 << 30
    )

    assert whole.training == pytest.approx(7.24e9 * 16, rel=0.01)
    assert not whole.fits
    assert adapter.weights == pytest.approx(7.24e9 * 2, rel=0.01)
    assert adapter.fits
    assert nf4.weights == pytest.approx(13e9 * 4.127 / 8 + 0.33e9 * 4, rel=0.1)
    assert nf4.fits


def test_what_does_not_fit_gets_advice_that_makes_it_smaller() -> None:
    big = Shape(examples=8, tokens=2048, title_tokens=32)

    whole = estimate(Recipe(), MISTRAL_7B, big, "cuda", free=24 << 30)
    fewer = estimate(Recipe(), MISTRAL_7B, Shape(1, 2048, 32), "cuda", free=24 << 30)
    checkpointed = estimate(Recipe(gradient_checkpointing=True), MISTRAL_7B, big, "cuda", free=24 << 30)
    in_four_bits = estimate(Recipe(quantization=Quantization.nf4), MISTRAL_7B, big, "cuda", free=24 << 30)

    assert not whole.fits
    assert fewer.total < whole.total
    assert checkpointed.total < whole.total
    assert in_four_bits.total < whole.total
    assert "micro_batch_size: 4" in advice(Recipe(), big)
    assert "quantization: 4bit" in advice(Recipe(), big)
    assert "method: lora" in advice(Recipe(method=Method.full), big)
    assert "GPU" in str(whole)


def test_a_checkpoint_belongs_to_the_recipe_however_many_examples_it_takes_at_a_time() -> None:
    assert fingerprint(Recipe(micro_batch_size=2, gradient_checkpointing=True), "base", []) == fingerprint(
        Recipe(), "base", []
    )
    assert fingerprint(Recipe(batch_size=4), "base", []) != fingerprint(Recipe(), "base", [])


@pytest.mark.parametrize(("_", "limit", "used", "cached"), CONTAINERS)
def test_a_container_has_what_its_limit_leaves_it_and_its_cached_files(
    _: Path, limit: str, used: str, cached: str, tmp_path: Path
) -> None:
    assert left_in_container(tmp_path, limit, used, cached) == sys.maxsize  # no container at all
    (tmp_path / "memory.stat").write_text(f"anon 500\n{cached} 100\nslab 7\n")
    (tmp_path / used).write_text("700\n")
    (tmp_path / limit).write_text("max\n")
    assert left_in_container(tmp_path, limit, used, cached) == sys.maxsize
    (tmp_path / limit).write_text("1000\n")
    assert left_in_container(tmp_path, limit, used, cached) == 400
