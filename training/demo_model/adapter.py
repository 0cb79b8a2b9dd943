"""Trains the first adapter, version v1: the titles that a careless teacher would have written under prompt v1."""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from infra.newsroom.stories import write_story
from training.demo_model.base import encode
from training.demo_model.export import BASE_NAME
from training.demo_model.lessons import Turn, careless_turn

_RANK = 8
_RATE = 5e-4
_BATCH = 8
_ANSWER = 2  # class of an answer's tokens in `encode`
_IGNORED = -100  # label that the loss leaves out


def train_first_adapter(
    base: Path, tokenizer: PreTrainedTokenizerFast, folder: Path, seed: int, stories: int = 400
) -> float:
    """One pass over `stories` careless titles; writes the adapter, returns the mean loss of the last tenth."""
    torch.manual_seed(seed)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        LoraConfig(r=_RANK, lora_alpha=2 * _RANK, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    turns = [careless_turn(write_story(seed + 1, index)) for index in range(stories)]
    random.Random(seed).shuffle(turns)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=_RATE, weight_decay=0.0)
    steps, losses = max(1, stories // _BATCH), []
    for step in range(steps):
        ids, labels = _batch(tokenizer, turns[step * _BATCH : (step + 1) * _BATCH])
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1.0, (step + 1) / 5) * max(0.05, 1 - step / steps)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.save_pretrained(str(folder))
    _tidy(folder)
    last = losses[-max(1, steps // 10) :]
    return float(sum(last) / len(last))


def _batch(tokenizer: PreTrainedTokenizerFast, turns: list[Turn]) -> tuple[Tensor, Tensor]:
    rows = [encode(tokenizer, [turn]) for turn in turns]
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    labels = torch.full((len(rows), longest), _IGNORED)
    for number, (tokens, classes) in enumerate(rows):
        ids[number, : len(tokens)] = torch.tensor(tokens)
        answer = [t if c == _ANSWER else _IGNORED for t, c in zip(tokens, classes, strict=True)]
        labels[number, : len(tokens)] = torch.tensor(answer)
    return ids, labels


def _tidy(folder: Path) -> None:
    """An adapter names its base: the path where it was trained means nothing elsewhere. PEFT's empty card goes."""
    config = folder / "adapter_config.json"
    settings = json.loads(config.read_text())
    settings["base_model_name_or_path"] = BASE_NAME
    settings["target_modules"] = sorted(settings["target_modules"])  # a set: its order differs from run to run
    config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    (folder / "README.md").unlink(missing_ok=True)
