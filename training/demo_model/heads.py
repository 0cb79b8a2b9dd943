"""A start in life for a very small model: heads that copy are in place before the first step.

Copying a name of several words takes two layers that work together: one head that looks at the token before, and one
that looks for the place where the present token came before, and takes what followed (induction heads: Elhage et al.
2021, Olsson et al. 2022). Training finds this pair by itself, but only after more steps than two cores can do in an
hour; before that a model mixes the words of a story's names. So it starts with one such pair and trains on from there.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

ROPE_THETA = 100_000.0
_CONSTANT = 0.75  # of a token's own embedding: the share that all tokens have in common, to steer heads by position
_SHARPNESS = 43.0  # of the look at one place: some 5 nats above its neighbours
_FAST = 10  # rotary frequencies that tell near places apart
_SLOW = 14  # the first rotary frequency that hardly turns within a text: content is compared from here on
_MATCH = 2.5  # strength of the comparison
_WRITE = 0.08  # size of what a planted head adds to the stream, beside embeddings of size 0.3


@torch.no_grad()
def plant_copying_heads(model: LlamaForCausalLM, seed: int) -> None:
    """Sets heads 0 and 1 of the first two layers of a fresh model; the rest keeps its random start.

    Layer 0: heads that look one and two tokens back. Layer 1: heads that continue what followed the same one (two)
    tokens before. Needs at least two layers, as many key as query heads, and an untrained embedding.
    """
    embedding = model.model.embed_tokens.weight
    width, size = embedding.size(1), embedding.size(1) // model.config.num_attention_heads
    used = (width - 1) // 4  # directions of one code: two for tokens and two for places share the width
    random = torch.randn(width, width, generator=torch.Generator().manual_seed(seed))
    basis = torch.linalg.qr(random)[0].T  # rows: orthonormal directions
    common = basis[0]
    norm = embedding.norm(dim=1).mean()
    embedding -= (embedding @ common).outer(common)
    embedding += _CONSTANT * norm * common  # moves all logits alike: the output does not notice
    steady = common * (1 + _CONSTANT**2) ** 0.5 / (_CONSTANT * width**0.5)  # reads 1 from every normed embedding
    first, second = model.model.layers[0].self_attn, model.model.layers[1].self_attn
    for head, back in ((0, 1), (1, 2)):
        rows = slice(head * size, (head + 1) * size)
        room = slice(head * size, head * size + used)
        code, place = (basis[1 + at * used : 1 + (at + 1) * used] for at in (head, head + 2))
        first.q_proj.weight[rows] = _look(size).outer(steady)
        first.k_proj.weight[rows] = _turned(_look(size), back).outer(steady)
        first.v_proj.weight[room] = code
        first.o_proj.weight[:, room] = _WRITE * place.T
        second.q_proj.weight[rows] = _comparing(code, size)
        second.k_proj.weight[rows] = _comparing(place, size)
        second.v_proj.weight[room] = code
        second.o_proj.weight[:, room] = 2 * _WRITE * code.T


def _look(size: int) -> Tensor:
    """A query that finds its own place: all weight on the frequencies that turn fast."""
    look = torch.zeros(size)
    look[:_FAST] = _SHARPNESS**0.5
    return look


def _comparing(code: Tensor, size: int) -> Tensor:
    """A projection that reads a code into the slow frequencies of a head; (size, width)."""
    slow = [at for at in range(len(code)) if at % (size // 2) >= _SLOW]
    projection = torch.zeros(size, code.size(1))
    projection[slow] = _MATCH * code[slow]
    return projection


def _turned(look: Tensor, places: int) -> Tensor:
    """`look` as rotary embedding turns it over so many places."""
    half = look.size(0) // 2
    angles = places * ROPE_THETA ** (-torch.arange(half) / half)
    near, far = look[:half], look[half:]
    return torch.cat([near * angles.cos() - far * angles.sin(), far * angles.cos() + near * angles.sin()])
