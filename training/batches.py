"""Examples as tokens, in batches, and the loss on their titles.

The loss counts the title's tokens only: the adapter shall learn to write titles, not articles.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
import torch.nn.functional as F
from transformers import PreTrainedTokenizerBase

from editorial import prompts
from training.recipe import Recipe

IGNORED = -100
"""Label of the tokens that do not count, as torch's cross entropy has it."""


@dataclass(frozen=True)
class Encoded:
    """One example in tokens; the first `prompt_tokens` are the prompt, the rest is the title with its end mark."""

    ids: tuple[int, ...]
    prompt_tokens: int

    @property
    def tokens(self) -> int:
        """How many go through the model."""
        return len(self.ids)

    @property
    def title_tokens(self) -> int:
        """How many count in the loss."""
        return len(self.ids) - self.prompt_tokens

    @property
    def weight(self) -> int:
        """What the example counts in a batch's mean."""
        return self.title_tokens


class Item(Protocol):
    """What a batch is made of: an encoded example, or a pair of them."""

    @property
    def tokens(self) -> int:
        """How many go through the model."""

    @property
    def weight(self) -> int:
        """What it counts in a batch's mean."""


ItemT = TypeVar("ItemT", bound=Item)


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


def endless_batches(items: Sequence[ItemT], size: int, seed: int, done: int = 0) -> Iterator[list[ItemT]]:
    """Epoch after epoch in new order, without the first `done` batches; the order depends on the seed alone.

    Within a few batches' worth, neighbours in length share a batch: less padding.
    """
    epoch = 0
    while True:
        shuffle = random.Random(f"{seed} epoch {epoch}")
        order = list(items)
        shuffle.shuffle(order)
        pool = size * 4
        batches: list[list[ItemT]] = []
        for start in range(0, len(order), pool):
            part = sorted(order[start : start + pool], key=lambda one: one.tokens)
            batches += [part[at : at + size] for at in range(0, len(part), size)]
        shuffle.shuffle(batches)
        yield from batches[done:]
        done = max(0, done - len(batches))
        epoch += 1


def title_loss(model: torch.nn.Module, batch: Sequence[Encoded], padding: int) -> torch.Tensor:
    """Sum of the cross entropy over all title tokens of the batch, in nats."""
    return -title_log_probabilities(model, batch, padding).sum()


def title_log_probabilities(model: torch.nn.Module, batch: Sequence[Encoded], padding: int) -> torch.Tensor:
    """Of each example the log-probability of its title given its prompt, in nats.

    Padded on the right and without an attention mask: what comes later is never attended to, and causal attention
    without a mask is the fastest there is. Logits are computed from the first title's beginning on.
    """
    device = next(model.parameters()).device
    longest = max(one.tokens for one in batch)
    first = min(one.prompt_tokens for one in batch)
    rows = [[*one.ids, *[padding] * (longest - one.tokens)] for one in batch]
    labels = [
        [IGNORED] * (one.prompt_tokens - first) + [*one.ids[one.prompt_tokens :]] + [IGNORED] * (longest - one.tokens)
        for one in batch
    ]
    ids, targets = torch.tensor(rows, device=device), torch.tensor(labels, device=device)
    output = model(input_ids=ids, logits_to_keep=longest - first + 1)
    logits = output.logits[:, :-1].float()  # the last token of the prompt predicts the first of the title
    return -F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=IGNORED, reduction="none").sum(dim=1)


def pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Any token will do, for the mask hides it."""
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)
