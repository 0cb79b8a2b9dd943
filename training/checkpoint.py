"""How far a training is, in one file of safetensors: after a kill -9 it goes on as if nothing had happened.

The file is replaced whole. It belongs to one recipe, one base and one set of examples; to another it is nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from training.recipe import Recipe

FILE = "checkpoint.safetensors"


@dataclass(frozen=True)
class State:
    """What is kept beside the tensors: steps done, their losses, and the validation loss of each epoch."""

    step: int = 0
    losses: tuple[float, ...] = ()
    validation_losses: tuple[float, ...] = ()


def fingerprint(recipe: Recipe, base: str, items: Sequence[object]) -> str:
    """What a checkpoint belongs to: recipe, base and examples decide every step, not how it is fitted into memory."""
    digest = hashlib.sha256(
        f"{recipe.model_dump_json(exclude={'micro_batch_size', 'gradient_checkpointing'})} {base}".encode()
    )
    for one in items:
        digest.update(repr(one).encode())
    return digest.hexdigest()


def save(
    file: Path,
    belongs_to: str,
    state: State,
    weights: Mapping[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
    best: Mapping[str, torch.Tensor],
) -> None:
    """Weights that train, the best of them so far, and the optimizer's moments."""
    moments = optimizer.state_dict()["state"]
    tensors = {f"weight.{name}": tensor for name, tensor in weights.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    tensors |= {f"moment.{index}.{name}": value for index, of in moments.items() for name, value in of.items()}
    whole = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    partial = file.with_suffix(".part")
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(whole, partial, {"belongs_to": belongs_to, "state": json.dumps(state.__dict__)})
    partial.replace(file)


def load(
    file: Path, belongs_to: str, weights: Mapping[str, torch.Tensor], optimizer: torch.optim.Optimizer
) -> tuple[State, dict[str, torch.Tensor]] | None:
    """Put everything back in place; returns the state and the best weights, or None if there is nothing to go on with.

    Raises what safetensors raises for a damaged file: it is written whole, so that is no accident of ours.
    """
    if not file.is_file():
        return None
    with safe_open(file, "pt") as stored:
        facts = stored.metadata()
        if facts["belongs_to"] != belongs_to:
            return None
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  # it is no dict
    with torch.no_grad():
        for name, tensor in weights.items():
            tensor.copy_(tensors[f"weight.{name}"])
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("moment."):
            _, index, moment = name.split(".", 2)
            moments.setdefault(int(index), {})[moment] = tensor
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    kept = json.loads(facts["state"])
    state = State(kept["step"], tuple(kept["losses"]), tuple(kept["validation_losses"]))
    best = {name.removeprefix("best."): tensor for name, tensor in tensors.items() if name.startswith("best.")}
    return state, best
