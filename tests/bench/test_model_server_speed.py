"""Titles per second: the model server's engine in batches against transformers' own generate(), one by one.

The ratio is the figure; titles per second depend on the machine and on what else it does.
"""

from __future__ import annotations

import time
from itertools import product

import pytest
import torch
from transformers import LlamaForCausalLM

from editorial import prompts
from infra.model_server.batcher import Prompt
from infra.model_server.engine import Engine
from infra.newsroom.stories import write_story
from infra.registry import BARE_BASE
from infra.settings import DEMO_MODEL

TITLES = 32
THREADS = 1
"""Threads wait for each other: on a machine with other work, several are slower than one."""
MAX_TOKENS = 48
ADAPTER = "v1"


@pytest.fixture(scope="module")
def engine() -> Engine:
    loaded = Engine.load(str(DEMO_MODEL / "base"), "main", THREADS)
    loaded.load_adapter(ADAPTER, DEMO_MODEL / ADAPTER)
    return loaded


@pytest.fixture(scope="module")
def asked(engine: Engine) -> list[tuple[int, ...]]:
    texts = [write_story(5, number).text for number in range(TITLES)]
    return [engine.tokenize([{"role": "user", "content": prompts.render("v3", text)}]) for text in texts]


def test_batches_against_plain_generate(engine: Engine, asked: list[tuple[int, ...]]) -> None:
    plain = plain_titles_per_second(asked)
    print(f"\n{'generate(), one by one, no adapter':40s} {plain:6.1f} titles/s")
    rates: dict[tuple[str, int], float] = {}
    for name, size in product((BARE_BASE, ADAPTER), (1, 8, 16)):
        rates[name, size] = titles_per_second(engine, name, asked, size)
        what, times = f"engine, {name}, batches of {size}", rates[name, size] / plain
        print(f"{what:40s} {rates[name, size]:6.1f} titles/s {times:5.1f} x")
    assert rates[ADAPTER, 16] > plain


def titles_per_second(engine: Engine, adapter: str, asked: list[tuple[int, ...]], size: int) -> float:
    ordered = sorted(asked, key=len)
    began = time.perf_counter()
    for start in range(0, TITLES, size):
        engine.complete(adapter, [Prompt(ids, MAX_TOKENS) for ids in ordered[start : start + size]])
    return TITLES / (time.perf_counter() - began)


def plain_titles_per_second(asked: list[tuple[int, ...]]) -> float:
    model = LlamaForCausalLM.from_pretrained(DEMO_MODEL / "base", dtype=torch.float32)
    began = time.perf_counter()
    for ids in asked:
        row = torch.tensor([ids])
        model.generate(  # type: ignore[misc]  # transformers' types do not know their own models
            inputs=row, attention_mask=torch.ones_like(row), max_new_tokens=MAX_TOKENS, do_sample=False
        )
    return TITLES / (time.perf_counter() - began)
