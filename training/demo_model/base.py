"""Trains the base: a Llama of some four million parameters, on lessons written on the fly, resumable at any moment."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from training.demo_model.heads import ROPE_THETA, plant_copying_heads
from training.demo_model.lessons import REPEAT, Turn, lesson, stage_at
from training.demo_model.optimizer import MuonWithAdam
from training.demo_model.tokenizer import ASSISTANT, BEGIN, CONTEXT, END, PAD, USER, token_id

_ARTICLE_WEIGHT = 0.7  # of the loss on the article's words beside the loss on the answers
_POOL = 64  # lessons drawn for each step
_WARM_UP = 40  # steps
_COOL_DOWN = 0.5  # the last share of the training, over which the rates fall to nearly nothing


@dataclass(frozen=True)
class Plan:
    """Size and length of one training. `steps` fixes the length; without it the clock does (`minutes`)."""

    seed: int = 7
    minutes: float = 60.0
    steps: int = 0
    batch_tokens: int = 4096
    hidden: int = 256
    layers: int = 4
    heads: int = 4
    inner: int = 640
    save_every: float = 180.0  # seconds


@dataclass(frozen=True)
class Progress:
    """What a step reports: its number, the share of the training done, mean losses in nats per token."""

    step: int
    share: float
    article_loss: float
    answer_loss: float
    tokens: int


def new_model(plan: Plan, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(plan.seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=plan.hidden,
        intermediate_size=plan.inner,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.heads,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        tie_word_embeddings=True,
        bos_token_id=token_id(tokenizer, BEGIN),
        eos_token_id=token_id(tokenizer, END),
        pad_token_id=token_id(tokenizer, PAD),
    )
    model = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    plant_copying_heads(model, plan.seed)
    return model


def train(
    plan: Plan,
    tokenizer: PreTrainedTokenizerFast,
    checkpoint: Path,
    report: Callable[[Progress], None],
    export: Callable[[LlamaForCausalLM], None],
    clock: Callable[[], float] = time.monotonic,
) -> LlamaForCausalLM:
    """Trains to the end of the plan, from `checkpoint` where there is one; `export` gets the model now and then."""
    model = new_model(plan, tokenizer)
    optimizer = MuonWithAdam(model)
    step, spent = _resume(checkpoint, model, optimizer)
    model.train()
    last = saved = clock()
    while (share := step / plan.steps if plan.steps else spent / (plan.minutes * 60)) < 1:
        batch, weights = _batch(plan, tokenizer, step, share)
        article, answer = _losses(model, batch, weights)
        (_ARTICLE_WEIGHT * article + answer).backward()  # type: ignore[no-untyped-call]
        optimizer.step(min(1, (step + 1) / _WARM_UP) * min(1, max(0.02, (1 - share) / _COOL_DOWN)))
        step += 1
        now = clock()
        spent, last = spent + now - last, now
        report(Progress(step, share, article.item(), answer.item(), int((weights > 0).sum())))
        if now - saved > plan.save_every:
            saved = now
            _save(checkpoint, model, optimizer, step, spent)
            export(model)
    _save(checkpoint, model, optimizer, step, spent)
    export(model)
    return model


def encode(tokenizer: PreTrainedTokenizerFast, turns: Sequence[Turn]) -> tuple[list[int], list[int]]:
    """Token ids of a conversation as the chat template writes it; a class per token: 1 text, 2 answer, 0 neither."""
    begin, user, assistant, end = (token_id(tokenizer, token) for token in (BEGIN, USER, ASSISTANT, END))
    ids, classes = [begin], [0]
    for asked, answered in turns:
        question = [user, *tokenizer.encode(asked, add_special_tokens=False), end, assistant]
        answer = [*tokenizer.encode(answered, add_special_tokens=False), end]
        ids += question + answer
        classes += [0 if asked.startswith(REPEAT) else 1] * len(question) + [2] * len(answer)
    return ids, classes


def _batch(plan: Plan, tokenizer: PreTrainedTokenizerFast, step: int, share: float) -> tuple[Tensor, Tensor]:
    """Lessons of similar length, so that little is padding. A step's lessons depend on the seed and its number only."""
    rng = random.Random(f"step:{plan.seed}:{step}")
    stage = stage_at(share, rng)
    pool = [encode(tokenizer, lesson(plan.seed, step * 1000 + number, stage)) for number in range(_POOL)]
    pool.sort(key=lambda row: len(row[0]))
    first = rng.randrange(_POOL - 8)
    rows: list[tuple[list[int], list[int]]] = []
    longest = 0
    for row in pool[first:]:
        longest = max(longest, len(row[0]))
        if rows and longest * (len(rows) + 1) > plan.batch_tokens:
            break
        rows.append(row)
    ids, weights = torch.zeros(len(rows), longest, dtype=torch.long), torch.zeros(len(rows), longest, dtype=torch.long)
    for number, (tokens, classes) in enumerate(rows):
        ids[number, : len(tokens)] = torch.tensor(tokens)
        weights[number, : len(classes)] = torch.tensor(classes)
    return ids, weights


def _losses(model: LlamaForCausalLM, ids: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy on the article's tokens and on the answers' tokens."""
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    each = F.cross_entropy(logits.reshape(-1, logits.size(-1)), ids[:, 1:].reshape(-1), reduction="none")
    kind = weights[:, 1:].reshape(-1)
    article, answer = (each[kind == which].mean() for which in (1, 2))
    return article, answer


def _save(path: Path, model: LlamaForCausalLM, optimizer: MuonWithAdam, step: int, spent: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    state = {"model": model.state_dict(), "optimizer": optimizer.state(), "step": step, "spent": spent}
    torch.save(state, partial)
    partial.replace(path)


def _resume(path: Path, model: LlamaForCausalLM, optimizer: MuonWithAdam) -> tuple[int, float]:
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load(state["optimizer"])
    return state["step"], state["spent"]
