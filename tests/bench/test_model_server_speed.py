"""Titles per second: the model server's engine in batches against transformers' own generate(), one by one.

The ratio is the figure; titles per second depend on the machine and on what else it does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from editorial import prompts
from infra.model_server.batcher import Prompt
from infra.model_server.engine import Engine
from infra.newsroom.stories import write_story
from infra.registry import BARE_BASE
from infra.settings import DEMO_MODEL

TITLES = 48
MAX_TOKENS = 48
ADAPTER = "v1"


@pytest.fixture(scope="module")
def engine() -> Engine:
    loaded = Engine.load(str(DEMO_MODEL / "base"), "main", 0)
    loaded.load_adapter(ADAPTER, DEMO_MODEL / ADAPTER)
    return loaded


def test_batches_against_plain_generate(engine: Engine) -> None:
    asked = [
        engine.tokenize([{"role": "user", "content": prompts.render("v3", write_story(5, number).text)}])
        for number in range(TITLES)
    ]
    rates = {"generate(), one by one, no adapter": rate(lambda: plain(asked))}
    for name in (BARE_BASE, ADAPTER):
        for size in (1, 8, 16):
            rates[f"engine, {name}, batches of {size}"] = rate(
                lambda name=name, size=size: ours(engine, name, asked, size)
            )
    slowest = rates["generate(), one by one, no adapter"]
    for what, titles_per_second in rates.items():
        print(f"{what:42s} {titles_per_second:6.1f} titles/s   {titles_per_second / slowest:4.1f} x")
    assert rates[f"engine, {ADAPTER}, batches of 16"] > slowest


def rate(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return TITLES / (time.perf_counter() - began)


def ours(engine: Engine, adapter: str, asked: list[tuple[int, ...]], size: int) -> None:
    ordered = sorted(asked, key=len)
    for start in range(0, TITLES, size):
        engine.complete(adapter, [Prompt(ids, MAX_TOKENS) for ids in ordered[start : start + size]])


def plain(asked: list[tuple[int, ...]]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL / "base")
    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL / "base", dtype=torch.float32)
    config = GenerationConfig(
        max_new_tokens=MAX_TOKENS, do_sample=False, pad_token_id=0, eos_token_id=tokenizer.eos_token_id
    )
    for ids in asked:
        row = torch.tensor([ids])
        model.generate(input_ids=row, attention_mask=torch.ones_like(row), generation_config=config)
