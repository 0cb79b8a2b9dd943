"""Muon (Keller Jordan, 2024) for the matrices, AdamW for embeddings and norms: fewer steps for so small a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
_DECAY = 0.01


class OptimizerState(TypedDict):
    """What a checkpoint keeps."""

    momenta: list[Tensor]
    adam: dict[str, object]


class MuonWithAdam:
    """`step(scale)` applies one update; `scale` in 0..1 multiplies both learning rates."""

    def __init__(self, model: nn.Module, matrix_rate: float = 0.02, other_rate: float = 4e-3) -> None:
        named = list(model.named_parameters())
        self._matrices = [p for name, p in named if p.ndim == 2 and "embed" not in name]
        self._others = [p for name, p in named if p.ndim != 2 or "embed" in name]
        self._momenta = [torch.zeros_like(p) for p in self._matrices]
        self._matrix_rate, self._other_rate = matrix_rate, other_rate
        self._adam = torch.optim.AdamW(self._others, lr=other_rate, betas=(0.9, 0.97), weight_decay=_DECAY)

    @torch.no_grad()
    def step(self, scale: float) -> None:
        nn.utils.clip_grad_norm_(self._others, 1.0)
        for group in self._adam.param_groups:
            group["lr"] = self._other_rate * scale
        self._adam.step()
        for shape in {tuple(sorted(p.shape)) for p in self._matrices}:
            self._step_matrices([i for i, p in enumerate(self._matrices) if tuple(sorted(p.shape)) == shape], scale)
        for parameter in (*self._matrices, *self._others):
            parameter.grad = None

    def _step_matrices(self, indices: Iterable[int], scale: float) -> None:
        rate, updates, chosen = self._matrix_rate * scale, [], list(indices)
        for index in chosen:
            gradient = self._matrices[index].grad
            assert gradient is not None
            self._momenta[index].lerp_(gradient, 1 - _MOMENTUM)
            update = gradient.lerp(self._momenta[index], _MOMENTUM)
            updates.append(update if update.size(0) <= update.size(1) else update.T)
        for index, update in zip(chosen, _orthogonalize(torch.stack(updates)), strict=True):
            matrix = self._matrices[index]
            turned = update if update.shape == matrix.shape else update.T
            size = max(1.0, matrix.size(0) / matrix.size(1)) ** 0.5
            matrix.mul_(1 - rate * _DECAY).add_(turned, alpha=-rate * size)

    def state(self) -> OptimizerState:
        return {"momenta": self._momenta, "adam": self._adam.state_dict()}

    def load(self, state: OptimizerState) -> None:
        for momentum, saved in zip(self._momenta, state["momenta"], strict=True):
            momentum.copy_(saved)
        self._adam.load_state_dict(state["adam"])


def _orthogonalize(updates: Tensor) -> Tensor:
    """Newton-Schulz iteration with Muon's quintic coefficients; (count, rows, columns) with rows <= columns."""
    x: Tensor = updates / (updates.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * (gram @ gram)) @ x
    return x
