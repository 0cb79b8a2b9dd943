"""Learning from what a curator changed: the curator's title is to become likelier than the model's own.

DPO (Rafailov et al. 2023, arXiv 2305.18290, equation 7), on the same title tokens that the plain recipe counts. The
reference is the model as it is before the first step: the base, or the adapter that training starts from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from training.batches import Encoded, title_log_probabilities


@dataclass(frozen=True)
class Pair:
    """One article's title as the curator has it, and as the model had it.

    `margin` is what the reference says: log p(chosen) - log p(rejected), in nats.
    """

    chosen: Encoded
    rejected: Encoded
    margin: float = field(default=0.0, repr=False)

    @property
    def tokens(self) -> int:
        """How many go through the model."""
        return self.chosen.tokens + self.rejected.tokens

    @property
    def weight(self) -> int:
        """Every pair counts the same."""
        return 1


def margins(model: torch.nn.Module, pairs: Sequence[Pair], padding: int) -> torch.Tensor:
    """Per pair log p(chosen) - log p(rejected) under the model, in nats."""
    both = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    chosen, rejected = title_log_probabilities(model, both, padding).chunk(2)
    return chosen - rejected


def with_reference(model: torch.nn.Module, pairs: Sequence[Pair], size: int, padding: int) -> list[Pair]:
    """The pairs, with the margins of this model as their reference, so many at a time."""
    model.eval()
    with torch.inference_mode():
        found: Iterable[float] = (
            margin
            for at in range(0, len(pairs), size)
            for margin in margins(model, pairs[at : at + size], padding).tolist()
        )
        paired = [Pair(pair.chosen, pair.rejected, margin) for pair, margin in zip(pairs, found, strict=True)]
    model.train()
    return paired


def preference_loss(model: torch.nn.Module, pairs: Sequence[Pair], padding: int, beta: float) -> torch.Tensor:
    """Sum over the pairs of -log sigmoid(beta * (margin - the reference's margin))."""
    ours = margins(model, pairs, padding)
    reference = torch.tensor([pair.margin for pair in pairs], device=ours.device)
    return -F.logsigmoid(beta * (ours - reference)).sum()
