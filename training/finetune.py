"""The recipe: from examples to a LoRA adapter, to be read from top to bottom.

LoRA: Hu et al. 2021. The loss counts the title's tokens only: the adapter shall learn to write titles, not articles.
"""

from __future__ import annotations

import json
import math
import os
import platform
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from editorial import prompts
from training.dataset import Example
from training.recipe import Quantization, Recipe, Start

Progress = Callable[[str], None]
IGNORED = -100
"""Label of the tokens that do not count, as torch's cross entropy has it."""


@dataclass(frozen=True)
class Encoded:
    """One example in tokens; the first `prompt_tokens` are the prompt, the rest is the title with its end mark."""

    ids: tuple[int, ...]
    prompt_tokens: int


@dataclass(frozen=True)
class TrainingLog:
    """What happened; `losses` has one value per step, in nats per title token."""

    steps: int
    examples: int
    trainable_parameters: int
    losses: tuple[float, ...]
    seconds: float


def finetune(
    recipe: Recipe,
    examples: Sequence[Example],
    *,
    base_model: str,
    base_revision: str,
    base_name: str,
    parent: Path | None,
    out: Path,
    cut: Callable[[str], str],
    threads: int = 0,
    progress: Progress = print,
) -> TrainingLog:
    """Train an adapter and save it to the folder `out`. `cut` shortens an article as serving does; `base_name` is
    how the adapter calls its base (a path would tell strangers about this machine).

    Deterministic for a given machine and thread count. Raises `ValueError` for examples that cannot be learned from.
    """
    if not examples:
        raise ValueError("there is no example to learn from")
    torch.set_num_threads(threads or os.cpu_count() or 1)
    torch.manual_seed(recipe.seed)
    shuffle = random.Random(recipe.seed)

    tokenizer = AutoTokenizer.from_pretrained(base_model, revision=base_revision)
    encoded = [encode(tokenizer, recipe, cut(example.text), example.title) for example in examples]
    model = add_adapter(load_base(recipe, base_model, base_revision), recipe, parent)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = max(1, math.ceil(len(encoded) * recipe.epochs / recipe.batch_size))
    batches = endless_batches(encoded, recipe.batch_size, shuffle)

    began = time.monotonic()
    losses: list[float] = []
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * schedule(step, steps, recipe.warmup_share)
        loss = title_loss(model, next(batches), pad_id(tokenizer))
        if not torch.isfinite(loss):
            raise ValueError(f"the loss is {loss.item()} at step {step + 1}: a smaller learning_rate may help")
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trainable, recipe.gradient_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        progress(f"step {step + 1} of {steps}, loss {loss.item():.3f}")

    model.active_peft_config.base_model_name_or_path = base_name
    model.save_pretrained(str(out), save_embedding_layers=False)  # "auto" would look for `base_name` on the hub
    (out / "README.md").unlink(missing_ok=True)  # PEFT's form to fill in; it names the base by its path
    return TrainingLog(
        steps=steps,
        examples=len(encoded),
        trainable_parameters=sum(parameter.numel() for parameter in trainable),
        losses=tuple(losses),
        seconds=time.monotonic() - began,
    )


def encode(tokenizer: PreTrainedTokenizerBase, recipe: Recipe, article: str, title: str) -> Encoded:
    """Prompt and title in tokens, by the tokenizer's own chat template: what serving sends is what is trained on."""
    asked = [{"role": "user", "content": prompts.render(recipe.prompt_version, article)}]
    answered = [*asked, {"role": "assistant", "content": title}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
    whole = tokenizer.apply_chat_template(answered, tokenize=False)
    if not (isinstance(prompt, str) and isinstance(whole, str) and whole.startswith(prompt)):
        raise ValueError("the chat template writes an answer elsewhere than after its own generation prompt")
    # encoded apart, as in serving: across the border a tokenizer might merge what generation cannot
    prompt_ids = list(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    title_ids = list(tokenizer(whole[len(prompt) :], add_special_tokens=False)["input_ids"])
    end = tokenizer.eos_token_id
    title_ids = title_ids[: title_ids.index(end) + 1] if end in title_ids else [*title_ids, end]
    if len(prompt_ids) + len(title_ids) > recipe.max_tokens:
        raise ValueError(f"an example has more than max_tokens = {recipe.max_tokens} tokens")
    return Encoded((*prompt_ids, *title_ids), len(prompt_ids))


def load_base(recipe: Recipe, base_model: str, base_revision: str) -> PreTrainedModel:
    """The frozen base; quantized by bitsandbytes if the recipe says so (it runs on a CPU as well)."""
    on_gpu = torch.cuda.is_available()
    dtype = torch.bfloat16 if on_gpu else torch.float32
    quantization = {
        Quantization.none: None,
        Quantization.int8: BitsAndBytesConfig(load_in_8bit=True),  # type: ignore[no-untyped-call]
        Quantization.nf4: BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        ),
    }[recipe.quantization]
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        base_model,
        revision=base_revision,
        dtype=dtype,
        quantization_config=quantization,
        device_map="cuda" if on_gpu else "cpu",
    )
    if quantization is not None:
        prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)  # type: ignore[no-untyped-call]
    model.config.use_cache = False
    return model


def add_adapter(model: PreTrainedModel, recipe: Recipe, parent: Path | None) -> PeftModel:
    """A LoRA adapter on every linear layer; the only parameters that train."""
    if recipe.start is Start.parent:
        if parent is None:
            raise ValueError("the recipe starts from the champion's adapter, but there is no champion")
        return PeftModel.from_pretrained(model, str(parent), is_trainable=True)
    config = LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    tuned = get_peft_model(model, config)
    assert isinstance(tuned, PeftModel)
    return tuned


def endless_batches(encoded: Sequence[Encoded], size: int, shuffle: random.Random) -> Iterator[list[Encoded]]:
    """Epoch after epoch in new order. Within a few batches' worth, neighbours in length share a batch: less padding."""
    while True:
        order = list(encoded)
        shuffle.shuffle(order)
        pool = size * 4
        batches: list[list[Encoded]] = []
        for start in range(0, len(order), pool):
            part = sorted(order[start : start + pool], key=lambda one: len(one.ids))
            batches += [part[at : at + size] for at in range(0, len(part), size)]
        shuffle.shuffle(batches)
        yield from batches


def title_loss(model: PeftModel, batch: Sequence[Encoded], padding: int) -> torch.Tensor:
    """Mean cross entropy over all title tokens of the batch.

    Left-padded, so that the titles stand together at the end and only their logits need computing.
    """
    longest = max(len(one.ids) for one in batch)
    tail = max(len(one.ids) - one.prompt_tokens for one in batch)
    rows = [[padding] * (longest - len(one.ids)) + list(one.ids) for one in batch]
    real = [[0] * (longest - len(one.ids)) + [1] * len(one.ids) for one in batch]
    labels = [
        [IGNORED] * (tail - (len(one.ids) - one.prompt_tokens)) + list(one.ids[one.prompt_tokens :]) for one in batch
    ]
    ids, mask = torch.tensor(rows, device=model.device), torch.tensor(real, device=model.device)
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
        logits_to_keep=tail + 1,
    )
    logits = output.logits[:, :-1].float()  # the last token of the prompt predicts the first of the title
    targets = torch.tensor(labels, device=model.device)
    return F.cross_entropy(logits.reshape(-1, logits.size(-1)), targets.reshape(-1), ignore_index=IGNORED)


def schedule(step: int, steps: int, warmup_share: float) -> float:
    """Share of the learning rate: linear up during the warm-up, then linear down to nearly nothing."""
    warmup = max(1, round(steps * warmup_share))
    if step < warmup:
        return (step + 1) / warmup
    return max(0.02, (steps - step) / max(1, steps - warmup))


def pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Any token will do, for the mask hides it."""
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)


def write_manifest(out: Path, log: TrainingLog, facts: dict[str, object]) -> None:
    """The last file of an artefact: a folder without it is not complete and is never registered."""
    packages = ("torch", "transformers", "peft", "bitsandbytes", "safetensors")
    environment = {name: version(name) for name in packages} | {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
    manifest = facts | {"log": asdict(log), "environment": environment}
    partial = out / "manifest.json.part"
    partial.write_text(json.dumps(manifest, indent=2, sort_keys=True))
    partial.rename(out / "manifest.json")
