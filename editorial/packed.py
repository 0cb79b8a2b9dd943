"""A BERT's linear layers in oneDNN's own order of weights, with GELU in the same step: what torch's compiler makes of
them on a CPU, without a compiler. The figures stay the same to the last digits.
"""

from __future__ import annotations

import torch
from transformers.models.bert.modeling_bert import BertIntermediate

ROWS = 1024
"""The weights are laid out for so many tokens at a time."""


class Packed(torch.nn.Module):
    """A linear layer for inference in float32, followed by `after`: `none` or `gelu`."""

    def __init__(self, linear: torch.nn.Linear, after: str) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), ROWS)
        self.bias, self.after = linear.bias.detach(), after

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """rows x inputs -> rows x outputs."""
        algorithm = "none" if self.after == "gelu" else ""
        made: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, self.after, [], algorithm)
        return made


def pack(model: torch.nn.Module) -> None:
    """Change the model in place; one that is no float32 BERT on a CPU with oneDNN stays as it is."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    gelu = getattr(getattr(model, "config", None), "hidden_act", "") == "gelu"
    for part in list(model.modules()):
        fused = type(part) is BertIntermediate and gelu
        for name, child in list(part.named_children()):
            if type(child) is torch.nn.Linear and getattr(child, "bias", None) is not None:
                setattr(part, name, Packed(child, "gelu" if fused else "none"))
        if fused:
            part.intermediate_act_fn = torch.nn.Identity()
