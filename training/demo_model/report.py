"""What a model can do, measured on stories it never saw: does its title carry the right names, keep the house rules?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from transformers import BatchEncoding, PreTrainedTokenizerFast

from editorial.prompts import render
from editorial.rules import check
from infra.newsroom.stories import Story
from training.demo_model.lessons import PROMPT

_BATCH = 16
_LONGEST = 48  # tokens of a title
_NUMBERS = ("amount", "count", "score")


class Generator(Protocol):
    """What is asked of a causal language model here."""

    def generate(
        self, *, input_ids: torch.Tensor, attention_mask: torch.Tensor, max_new_tokens: int, do_sample: bool
    ) -> torch.Tensor: ...


@dataclass(frozen=True)
class Report:
    """Shares in 0..1 over `stories` titles; `exact` means the very title that was expected."""

    stories: int
    exact: float
    names_right: float  # of the names that the expected title has
    numbers_right: float  # of its figures
    all_right: float  # titles with every name and figure
    house_rules: float


def titles(model: Generator, tokenizer: PreTrainedTokenizerFast, stories: Sequence[Story]) -> list[str]:
    """Greedy titles under the serving prompt, in the order of the stories."""
    order = sorted(range(len(stories)), key=lambda index: len(stories[index].text))
    written: dict[int, str] = {}
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        chats = [[{"role": "user", "content": render(PROMPT, stories[index].text)}] for index in chosen]
        inputs = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, return_tensors="pt", return_dict=True, padding=True
        )
        assert isinstance(inputs, BatchEncoding)
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        with torch.no_grad():
            made = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=_LONGEST, do_sample=False)
        answers = tokenizer.batch_decode(made[:, ids.shape[1] :], skip_special_tokens=True)
        written |= {index: answer.strip() for index, answer in zip(chosen, answers, strict=True)}
    return [written[index] for index in range(len(stories))]


def measure(stories: Sequence[Story], written: Sequence[str], expected: Callable[[Story], str]) -> Report:
    """Compares titles with those that `expected` names."""
    names, numbers, every, exact, house = [], [], [], [], []
    for story, title in zip(stories, written, strict=True):
        due = {key: value for key, value in _due(story) if _has(expected(story), value)}
        right = {key: _has(title, value) for key, value in due.items()}
        numbers += [found for key, found in right.items() if key in _NUMBERS]
        names += [found for key, found in right.items() if key not in _NUMBERS]
        every.append(all(right.values()))
        exact.append(title == expected(story))
        house.append(not check(title, story.text))
    return Report(len(stories), _share(exact), _share(names), _share(numbers), _share(every), _share(house))


def _due(story: Story) -> Iterable[tuple[str, str]]:
    keys = ("company", "product", "target", "exam", "region", *_NUMBERS)
    return ((key, story.facts[key]) for key in keys if key in story.facts)


def _has(title: str, value: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(value)}(?![\w]|\.\d)", title) is not None


def _share(found: Sequence[bool]) -> float:
    return sum(found) / len(found) if found else 1.0
