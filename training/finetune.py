"""From examples to a LoRA adapter or a whole model, to be read from top to bottom.

LoRA: Hu et al. 2021. QLoRA: Dettmers et al. 2023.
"""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from training.batches import Encoded, encode, endless_batches, pad_id, sum_loss, title_loss
from training.checkpoint import FILE, State, fingerprint, load, save
from training.dataset import Example
from training.processes import ALONE, Processes
from training.recipe import Method, Quantization, Recipe, Start


@dataclass(frozen=True)
class TrainingLog:
    """What happened; `losses` has one value per step, `validation_losses` one per epoch, in nats per title token.

    `tokens` are those of prompts and titles that went through the model; `seconds` are of the steps alone.
    """

    steps: int
    examples: int
    trainable_parameters: int
    losses: tuple[float, ...]
    seconds: float
    tokens: int = 0
    validation_losses: tuple[float, ...] = ()
    resumed_at: int = 0
    """The step after which an interrupted training went on; 0 for one that was not."""


@dataclass(frozen=True)
class Step:
    """How far a training is."""

    number: int
    of: int
    loss: float
    tokens_per_second: float
    seconds_left: float

    def __str__(self) -> str:
        return f"step {self.number} of {self.of}, loss {self.loss:.3f}"


Progress = Callable[[Step], None]


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
    validation: Sequence[Example] = (),
    checkpoints: Path | None = None,
    processes: Processes = ALONE,
) -> TrainingLog:
    """Train an adapter, or the whole base, and save it to the folder `out`. `cut` shortens an article as serving does;
    `base_name` is how the adapter calls its base (a path would tell strangers about this machine).

    With `validation`, its loss is taken after each epoch. With the folder `checkpoints`, the state is kept there after
    each epoch, and a training of the same recipe on the same examples goes on from it. Of several processes each
    trains on its share of every batch, and the first one writes. Deterministic for a given machine, thread count and
    number of processes. Raises `ValueError` for examples that cannot be learned from.
    """
    if not examples:
        raise ValueError("there is no example to learn from")
    torch.set_num_threads(threads or os.cpu_count() or 1)
    torch.manual_seed(recipe.seed)

    tokenizer = AutoTokenizer.from_pretrained(base_model, revision=base_revision)
    encoded = [encode(tokenizer, recipe, cut(example.text), example.title) for example in examples]
    held_back = [encode(tokenizer, recipe, cut(example.text), example.title) for example in validation]
    padding = pad_id(tokenizer)
    base = load_base(recipe, base_model, base_revision)
    model = add_adapter(base, recipe, parent) if recipe.method is Method.lora else base
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    optimizer = torch.optim.AdamW(trainable.values(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = max(1, math.ceil(len(encoded) * recipe.epochs / recipe.batch_size))
    steps_per_epoch = math.ceil(len(encoded) / recipe.batch_size)

    belongs_to = fingerprint(recipe, f"{base_model} {base_revision} {parent}", [*encoded, *held_back])
    file = checkpoints / FILE if checkpoints else None
    resumed = load(file, belongs_to, trainable, optimizer) if file else None
    state, best = resumed or (State(), {})
    resumed_at = state.step
    batches = endless_batches(encoded, recipe.batch_size, recipe.seed, done=resumed_at)

    began, tokens = time.monotonic(), 0
    model.train()
    while state.step < steps and not _patience_lost(recipe, state):
        batch = next(batches)
        # what dropout leaves out: other things in each step and process, and the same after a kill -9
        torch.manual_seed((recipe.seed * 1_000_003 + state.step) * processes.size + processes.rank)
        rate = recipe.learning_rate * schedule(state.step, steps, recipe.warmup_share)
        for group in optimizer.param_groups:
            group["lr"] = rate
        title_tokens = sum(one.title_tokens for one in batch)
        at_once = recipe.micro_batch_size or len(batch)
        loss = processes.total(add_gradients(model, processes.share(batch), at_once, padding, title_tokens))
        processes.add_up_gradients(list(trainable.values()))
        if not math.isfinite(loss):
            raise ValueError(f"the loss is {loss} at step {state.step + 1}: a smaller learning_rate may help")
        torch.nn.utils.clip_grad_norm_(trainable.values(), recipe.gradient_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

        state = replace(state, step=state.step + 1, losses=(*state.losses, loss))
        tokens += sum(len(one.ids) for one in batch)
        seconds = time.monotonic() - began
        left = seconds / (state.step - resumed_at) * (steps - state.step)
        progress(Step(state.step, steps, loss, tokens / seconds, left))
        if state.step % steps_per_epoch == 0 or state.step == steps:
            if held_back:
                nats = processes.total(sum_loss(model, processes.share(held_back), recipe.batch_size, padding))
                validation_loss = nats / sum(one.title_tokens for one in held_back)
                state, best = _validated(state, best, validation_loss, trainable)
            if file and processes.first:
                save(file, belongs_to, state, trainable, optimizer, best)
    seconds = time.monotonic() - began

    if recipe.patience and best:
        with torch.no_grad():
            for name, parameter in trainable.items():
                parameter.copy_(best[name])
    if processes.first:
        _save(model, tokenizer, base_name, out)
    return TrainingLog(
        steps=state.step,
        examples=len(encoded),
        trainable_parameters=sum(parameter.numel() for parameter in trainable.values()),
        losses=state.losses,
        seconds=seconds,
        tokens=tokens,
        validation_losses=state.validation_losses,
        resumed_at=resumed_at,
    )


def add_gradients(
    model: torch.nn.Module, examples: Sequence[Encoded], at_once: int, padding: int, title_tokens: int
) -> float:
    """Add the gradients of the examples' part in the batch's mean loss per title token, and return that part.

    Each part's sum is divided by the `title_tokens` of the whole batch, so parts of any size, in one process or in
    several, add up to the same gradients.
    """
    loss = 0.0
    for start in range(0, len(examples), at_once):
        part = title_loss(model, examples[start : start + at_once], padding) / title_tokens
        part.backward()  # type: ignore[no-untyped-call]
        loss += part.item()
    return loss


def _validated(
    state: State, best: dict[str, torch.Tensor], loss: float, trainable: Mapping[str, torch.Tensor]
) -> tuple[State, dict[str, torch.Tensor]]:
    """The epoch's validation loss is noted; the best weights are kept."""
    state = replace(state, validation_losses=(*state.validation_losses, loss))
    if loss <= min(state.validation_losses):
        best = {name: parameter.detach().clone() for name, parameter in trainable.items()}
    return state, best


def _patience_lost(recipe: Recipe, state: State) -> bool:
    losses = state.validation_losses
    return bool(recipe.patience and losses) and len(losses) - 1 - losses.index(min(losses)) >= recipe.patience


def _save(model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, base_name: str, out: Path) -> None:
    if isinstance(model, PeftModel):
        model.active_peft_config.base_model_name_or_path = base_name
        model.save_pretrained(str(out), save_embedding_layers=False)  # "auto" would look for `base_name` on the hub
        (out / "README.md").unlink(missing_ok=True)  # PEFT's form to fill in; it names the base by its path
    else:
        model.config.use_cache = True
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)


def load_base(recipe: Recipe, base_model: str, base_revision: str) -> PreTrainedModel:
    """The base, quantized by bitsandbytes if the recipe says so (it runs on a CPU as well)."""
    on_gpu = torch.cuda.is_available()
    # what trains is in full precision; a frozen base need not be
    dtype = torch.bfloat16 if on_gpu and recipe.method is Method.lora else torch.float32
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


def schedule(step: int, steps: int, warmup_share: float) -> float:
    """Share of the learning rate: linear up during the warm-up, then linear down to nearly nothing."""
    warmup = max(1, round(steps * warmup_share))
    if step < warmup:
        return (step + 1) / warmup
    return max(0.02, (steps - step) / max(1, steps - warmup))


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
