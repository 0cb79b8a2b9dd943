"""Several processes that train one model together, each on its share of every batch (data parallel).

torchrun starts them and says who is who; without it there is one process, which is everything. Every process holds the
whole model and the whole data set: what is shared out is the work, not the memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch.nn.utils import parameters_to_vector, vector_to_parameters

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process among `size`; the one of rank 0 writes files and talks to people."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """True for the one that writes and talks."""
        return self.rank == 0

    def share(self, batch: Sequence[T]) -> Sequence[T]:
        """This process's part of a batch; where neighbours are of like length, so are the parts."""
        return batch[self.rank :: self.size]

    def total(self, number: float) -> float:
        """The sum of everybody's number."""
        if self.size == 1:
            return number
        numbers = torch.tensor([number], dtype=torch.float64, device=_device())
        dist.all_reduce(numbers)
        return float(numbers.item())

    def add_up_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Everybody's gradients become the sum of all; of who had no example in the batch they count as zero."""
        if self.size == 1:
            return
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters
        ]
        vector = parameters_to_vector(gradients)
        dist.all_reduce(vector)
        vector_to_parameters(vector, gradients)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient

    def wait(self) -> None:
        """Until everybody is here."""
        if self.size > 1:
            dist.barrier()


ALONE = Processes()


@contextmanager
def together() -> Iterator[Processes]:
    """Join the processes that torchrun started; alone without it. Over NCCL on GPUs, over Gloo on CPUs."""
    if not dist.is_torchelastic_launched():
        yield ALONE
        return
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(dist.get_node_local_rank())
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def _device() -> str:
    return "cuda" if dist.get_backend() == "nccl" else "cpu"
