"""Will a training fit into the memory? An estimate from the base's configuration alone, before anything is loaded.

Per parameter that trains 16 bytes: weight, gradient and Adam's two moments in float32 (Rajbhandari et al. 2020, ZeRO,
section 3.1, who count the same states); a frozen one has its weight only, in 4.127 bits under double quantization
(Dettmers et al. 2023, QLoRA, section 3). What autograd keeps of one token in one layer follows Korthikanti et al. 2022
(Reducing Activation Recomputation in Large Transformer Models, section 4), with the terms of a Llama layer as
transformers and PEFT compute it; attention is fused and keeps nothing that grows with the square of the length.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig

from training.batches import encode
from training.dataset import Example
from training.recipe import Method, Objective, Quantization, Recipe

_FLOAT32 = 4
_TRAINED = 16  # bytes per parameter: weight, gradient, two moments
_NF4 = 4.127 / 8
_RUNTIME = {"cpu": 900 << 20, "cuda": 800 << 20}
"""What Python, torch and its kernels take beside the model; on a GPU the context and its workspaces."""
CONTAINERS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Where Linux says how much memory a container may have, has, and can give back: cgroups of version 2 and 1."""
_HEADROOM = 0.05
"""Of the free memory: what an allocator loses between its blocks."""


@dataclass(frozen=True)
class Shape:
    """The largest part of a batch that is at work at a time."""

    examples: int
    tokens: int
    """Of the longest example, prompt and title; the others are padded to it."""
    title_tokens: int


@dataclass(frozen=True)
class Estimate:
    """Bytes at the peak, by what takes them, and how much of the device is free for it."""

    weights: int
    training: int
    activations: int
    logits: int
    runtime: int
    free: int
    device: str

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.training + self.activations + self.logits + self.runtime

    @property
    def fits(self) -> bool:
        """With a little to spare."""
        return self.total <= self.free * (1 - _HEADROOM)

    def __str__(self) -> str:
        parts = {
            "frozen weights": self.weights,
            "what trains, with gradients and Adam's moments": self.training,
            "activations": self.activations,
            "logits": self.logits,
            "runtime": self.runtime,
        }
        said = ", ".join(f"{what} {_gb(size)}" for what, size in parts.items() if size >= 1 << 20)
        return f"about {_gb(self.total)} of memory ({said}); free on the {self.device}: {_gb(self.free)}"


def estimate(
    recipe: Recipe, config: PretrainedConfig, shape: Shape, device: str = "", free: int | None = None
) -> Estimate:
    """What training by this recipe on batches of this shape takes at its peak. `free` bytes are asked of the machine.

    Good to about a fifth for Llama-like models, mixtures of experts included; on a CPU only where the C library gives
    back what is freed (docs/train.md has the measurements).
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    text = config.get_text_config()
    hidden, layers, inner = text.hidden_size, text.num_hidden_layers, text.intermediate_size
    heads = text.num_attention_heads
    head_size = getattr(text, "head_dim", None) or hidden // heads
    queries, keys = heads * head_size, (getattr(text, "num_key_value_heads", None) or heads) * head_size
    experts = getattr(text, "num_local_experts", 1)
    active = getattr(text, "num_experts_per_tok", 1)
    # (inputs, outputs) of every linear layer of one block
    attention = [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden)]
    expert = [(hidden, inner), (hidden, inner), (inner, hidden)]
    linear = layers * sum(size_in * size_out for size_in, size_out in attention + expert * experts)
    embedded = text.vocab_size * hidden * (1 if text.tie_word_embeddings else 2)
    # experts are one parameter each in transformers 5, no linear layers: an adapter leaves them alone
    adapted = attention + (expert if experts == 1 else [])
    adapter = layers * sum(recipe.lora_rank * (size_in + size_out) for size_in, size_out in adapted)

    lora = recipe.method is Method.lora
    held = 2 if device == "cuda" and lora else _FLOAT32  # bytes of a weight that is not quantized
    per_linear = {Quantization.none: held, Quantization.int8: 1, Quantization.nf4: _NF4}[recipe.quantization]
    per_other = held if recipe.quantization is Quantization.none else _FLOAT32  # prepared for training in float32
    frozen = int(linear * per_linear + embedded * per_other)
    trained = adapter if lora else linear + embedded
    kept_best = _FLOAT32 * trained if recipe.patience else 0

    tokens = shape.examples * shape.tokens
    norms, attended, fed = 4 * hidden, 3 * queries + 2 * keys, 4 * inner * active
    per_token = held * (norms + attended + fed)
    if lora:
        per_token += _FLOAT32 * recipe.lora_rank * len(adapted)
        if held != _FLOAT32:  # each adapter takes its input in its own precision
            per_token += _FLOAT32 * sum(size_in for size_in, _ in adapted)
    backward = 2 * held * inner * active  # one layer's gradients
    kept = per_token + (layers - 1) * held * hidden if recipe.gradient_checkpointing else layers * per_token
    activations = tokens * (kept + backward)
    rows = shape.examples * (shape.title_tokens + 1)
    logits = rows * text.vocab_size * (held + 3 * _FLOAT32)
    if recipe.objective is Objective.preferences:
        activations, logits = 2 * activations, 2 * logits  # chosen and rejected go through together
    return Estimate(
        weights=frozen if lora else 0,
        training=_TRAINED * trained + kept_best,
        activations=activations,
        logits=logits,
        runtime=_RUNTIME["cuda" if device.startswith("cuda") else "cpu"],
        free=free_memory(device) if free is None else free,
        device="GPU" if device.startswith("cuda") else "CPU",
    )


def preflight(
    recipe: Recipe,
    examples: Sequence[Example],
    cut: Callable[[str], str],
    base_model: str,
    base_revision: str,
    processes: int = 1,
) -> tuple[Shape, Estimate]:
    """The largest part of a batch that these examples bring to one of the processes, and what it takes there.

    Reads the base's configuration and tokenizer, not its weights; raises `OSError` where they cannot be had and
    `ValueError` for examples that cannot be learned from.
    """
    tokenizer = AutoTokenizer.from_pretrained(base_model, revision=base_revision)
    encoded = [encode(tokenizer, recipe, cut(one.text), one.title) for one in examples]
    at_once = min(recipe.micro_batch_size or math.ceil(recipe.batch_size / processes), len(encoded))
    shape = Shape(
        examples=at_once,
        tokens=max((one.tokens for one in encoded), default=0),
        title_tokens=max((one.weight for one in encoded), default=0),
    )
    return shape, estimate(recipe, AutoConfig.from_pretrained(base_model, revision=base_revision), shape)


def advice(recipe: Recipe, shape: Shape) -> str:
    """What to change in a recipe that does not fit, the cheapest first."""
    ways = []
    if shape.examples > 1:
        ways.append(f"micro_batch_size: {shape.examples // 2} (the result stays the same)")
    if not recipe.gradient_checkpointing:
        ways.append("gradient_checkpointing: true (slower; the result stays the same)")
    if recipe.method is Method.full:
        ways.append("method: lora")
    elif recipe.quantization is not Quantization.nf4:
        ways.append("quantization: 4bit")
    ways.append("shorter articles (COPYDESK_MAX_ARTICLE_TOKENS)")
    ways.append("a smaller base")
    return "in the recipe, try " + ", or ".join(ways)


def free_memory(device: str) -> int:
    """Bytes that this process may still take on the device; in a container those up to its limit."""
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info()
        return int(free)
    return min(int(psutil.virtual_memory().available), *(left_in_container(*names) for names in CONTAINERS))


def left_in_container(folder: Path, limit: str, used: str, cached: str) -> int:
    """Bytes up to a container's limit, without bounds where there is none; files that are only cached count as free."""
    try:
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, int((folder / limit).read_text()) - int((folder / used).read_text()) + int(stat[cached]))
    except (OSError, ValueError, KeyError):  # no such file, or the word "max"
        return sys.maxsize


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
