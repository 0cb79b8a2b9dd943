"""From examples to a LoRA adapter or a whole model, to be read from top to bottom.

LoRA: Hu et al. 2021. QLoRA: Dettmers et al. 2023.
"""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
from bitsandbytes.nn.modules import Linear4bit
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from training.batches import Encoded, ItemT, encode, endless_batches, pad_id, title_loss
from training.checkpoint import FILE, State, fingerprint, load, save
from training.dataset import Example
from training.preference import Pair, preference_loss, with_reference
from training.processes import ALONE, Processes
from training.recipe import Method, Objective, Quantization, Recipe, Start


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
    learning_rate: float
    memory_mb: int
    """The process's peak so far: of the GPU where there is one, else of the main memory."""
    validation_loss: float | None = None
    """Of the epoch that this step ended."""

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
    torch.set_num_threads(threads or os.cpu_count() or 1)
    torch.manual_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(base_model, revision=base_revision)
    padding = pad_id(tokenizer)
    base = load_base(recipe, base_model, base_revision)
    model = add_adapter(base, recipe, parent) if recipe.method is Method.lora else base
    learning = Learning(recipe, model, f"{base_model} {base_revision} {parent}", checkpoints, progress, processes)

    def encoded(given: Sequence[Example]) -> list[Encoded]:
        return [encode(tokenizer, recipe, cut(one.text), one.title) for one in given]

    def paired(given: Sequence[Example]) -> list[Pair]:
        corrected = [one for one in given if one.title_before.strip() and one.title_before != one.title]
        rejected = encoded([replace(one, title=one.title_before) for one in corrected])
        pairs = [Pair(*both) for both in zip(encoded(corrected), rejected, strict=True)]
        return with_reference(model, pairs, recipe.micro_batch_size or recipe.batch_size, padding)

    if recipe.objective is Objective.preferences:
        log = learning.run(
            paired(examples),
            paired(validation),
            lambda pairs: preference_loss(model, pairs, padding, recipe.preference_beta),
        )
    else:
        log = learning.run(encoded(examples), encoded(validation), lambda batch: title_loss(model, batch, padding))
    if processes.first:
        _save(model, tokenizer, base_name, out)
    return log


@dataclass(frozen=True)
class Learning:
    """The loop over batches, whatever is learned from them."""

    recipe: Recipe
    model: PreTrainedModel | PeftModel
    base: str
    checkpoints: Path | None
    progress: Progress
    processes: Processes

    def run(
        self, items: Sequence[ItemT], held_back: Sequence[ItemT], loss_of: Callable[[Sequence[ItemT]], torch.Tensor]
    ) -> TrainingLog:
        """Train on the items; `loss_of` some is the sum of their losses."""
        if not items:
            changed = self.recipe.objective is Objective.preferences
            raise ValueError(f"there is no {'title that a curator changed' if changed else 'example'} to learn from")
        recipe, processes = self.recipe, self.processes
        trainable = {name: weights for name, weights in self.model.named_parameters() if weights.requires_grad}
        optimizer = torch.optim.AdamW(trainable.values(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        steps = max(1, math.ceil(len(items) * recipe.epochs / recipe.batch_size))
        steps_per_epoch = math.ceil(len(items) / recipe.batch_size)

        belongs_to = fingerprint(recipe, self.base, [*items, *held_back])
        file = self.checkpoints / FILE if self.checkpoints else None
        resumed = load(file, belongs_to, trainable, optimizer) if file else None
        state, best = resumed or (State(), {})
        resumed_at = state.step
        batches = endless_batches(items, recipe.batch_size, recipe.seed, done=resumed_at)

        began, tokens = time.monotonic(), 0
        self.model.train()
        while state.step < steps and not _patience_lost(recipe, state):
            batch = next(batches)
            # what dropout leaves out: other things in each step and process, and the same after a kill -9
            torch.manual_seed((recipe.seed * 1_000_003 + state.step) * processes.size + processes.rank)
            rate = recipe.learning_rate * schedule(state.step, steps, recipe.warmup_share)
            for group in optimizer.param_groups:
                group["lr"] = rate
            weight, at_once = sum(one.weight for one in batch), recipe.micro_batch_size or len(batch)
            loss = processes.total(add_gradients(processes.share(batch), at_once, loss_of, weight))
            processes.add_up_gradients(list(trainable.values()))
            if not math.isfinite(loss):
                raise ValueError(f"the loss is {loss} at step {state.step + 1}: a smaller learning_rate may help")
            torch.nn.utils.clip_grad_norm_(trainable.values(), recipe.gradient_clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

            state = replace(state, step=state.step + 1, losses=(*state.losses, loss))
            tokens += sum(one.tokens for one in batch)
            validation_loss = None
            if state.step % steps_per_epoch == 0 or state.step == steps:
                if held_back:
                    validation_loss = self._mean_loss(held_back, loss_of)
                    state, best = _validated(state, best, validation_loss, trainable)
                if file and processes.first:
                    save(file, belongs_to, state, trainable, optimizer, best)
            seconds = time.monotonic() - began
            left = seconds / (state.step - resumed_at) * (steps - state.step)
            speed = tokens / seconds
            self.progress(Step(state.step, steps, loss, speed, left, rate, memory_mb(), validation_loss))
        seconds = time.monotonic() - began

        if recipe.patience and best:
            with torch.no_grad():
                for name, parameter in trainable.items():
                    parameter.copy_(best[name])
        return TrainingLog(
            steps=state.step,
            examples=len(items),
            trainable_parameters=sum(parameter.numel() for parameter in trainable.values()),
            losses=state.losses,
            seconds=seconds,
            tokens=tokens,
            validation_losses=state.validation_losses,
            resumed_at=resumed_at,
        )

    def _mean_loss(self, items: Sequence[ItemT], loss_of: Callable[[Sequence[ItemT]], torch.Tensor]) -> float:
        """Over items that are not trained on, neighbours in length together."""
        ordered = self.processes.share(sorted(items, key=lambda one: one.tokens))
        size = self.recipe.batch_size
        self.model.eval()
        with torch.inference_mode():
            ours = sum(loss_of(ordered[at : at + size]).item() for at in range(0, len(ordered), size))
        self.model.train()
        return self.processes.total(ours) / sum(one.weight for one in items)


def add_gradients(
    items: Sequence[ItemT], at_once: int, loss_of: Callable[[Sequence[ItemT]], torch.Tensor], weight: int
) -> float:
    """Add the gradients of the items' part in their batch's mean loss, and return that part.

    Each sum is divided by the `weight` of the whole batch (its title tokens), so parts of any size, in one process or
    in several, add up to the same gradients.
    """
    loss = 0.0
    for start in range(0, len(items), at_once):
        part = loss_of(items[start : start + at_once]) / weight
        part.backward()  # type: ignore[no-untyped-call]
        loss += part.item()
    return loss


def memory_mb() -> int:
    """The process's peak: of the GPU where there is one, else of the main memory."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated() / 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


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
    for module in model.modules():
        if isinstance(module, Linear4bit):
            # a CPU with this extension packs the weights at the first validation, and packed ones pass no gradient on
            module.support_avx512bf16_for_cpu = False
    model.config.use_cache = False
    if recipe.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def add_adapter(model: PreTrainedModel, recipe: Recipe, parent: Path | None) -> PeftModel:
    """A LoRA adapter on every linear layer; the only parameters that train."""
    if recipe.start is Start.parent:
        if parent is None:
            raise ValueError("the recipe starts from the champion's adapter, but no champion has one")
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
