"""The demo model's script in small: it learns, goes on where it was, and its files load."""

from __future__ import annotations

import contextlib
import itertools
import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from infra.newsroom.stories import write_story
from training.demo_model.adapter import train_first_adapter
from training.demo_model.base import Plan, Progress, encode, new_model, train
from training.demo_model.export import BASE_NAME, export_base
from training.demo_model.lessons import careless_turn
from training.demo_model.report import measure, titles
from training.demo_model.tokenizer import build_tokenizer

_SMALL = Plan(seed=3, steps=12, batch_tokens=512, hidden=64, layers=2, heads=2, inner=64)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer(seed=3, stories=200)


@pytest.fixture(scope="module")
def trained(
    tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Progress]]:
    folder, progress = tmp_path_factory.mktemp("demo_model"), list[Progress]()
    train(
        _SMALL,
        tokenizer,
        folder / "base.pt",
        progress.append,
        lambda model: export_base(model, tokenizer, folder / "base"),
    )
    return folder, progress


@pytest.mark.parametrize(
    "text",
    [
        "",
        " two  spaces and a trailing one ",
        'She said: "Go (now)!"\n\n\n "$5", he said\t\r\n',
        "\u00e9\u6f22\u5b57\U0001f600\u200d\U0001f680 \u2028 \u00a0 \x00",
        write_story(5, 5).text,
    ],
)
def test_every_text_survives_the_tokenizer(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_a_word_is_one_token_wherever_it_stands(tokenizer: PreTrainedTokenizerFast) -> None:
    amber = set(tokenizer.encode("Amber", add_special_tokens=False))
    for text in ('"Amber"', "(Amber)", "\n\nAmber", "an Amber"):
        assert amber < set(tokenizer.encode(text, add_special_tokens=False))


def test_training_encodes_a_chat_as_the_template_does(tokenizer: PreTrainedTokenizerFast) -> None:
    asked, answered = careless_turn(write_story(3, 1))
    chat = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    written = tokenizer.apply_chat_template(chat, tokenize=False)
    assert isinstance(written, str)
    assert tokenizer.encode(written, add_special_tokens=False) == encode(tokenizer, [(asked, answered)])[0]


def test_a_fresh_model_looks_one_and_two_tokens_back(tokenizer: PreTrainedTokenizerFast) -> None:
    model = new_model(Plan(seed=3), tokenizer)
    model.set_attn_implementation("eager")
    ids = torch.tensor([tokenizer.encode(write_story(3, 2).text)[:60]])
    with torch.no_grad():
        attention = model(input_ids=ids, output_attentions=True).attentions[0][0]
    for head, back in ((0, 1), (1, 2)):
        assert attention[head].diagonal(-back)[back:].mean() > 0.7


def test_the_loss_falls(trained: tuple[Path, list[Progress]]) -> None:
    losses = [progress.article_loss for progress in trained[1]]
    assert len(losses) == _SMALL.steps
    assert losses[-1] < losses[0] - 0.1  # the rates are still warming up


def test_an_interrupted_training_goes_on_where_it_was(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    class Interrupted(Exception):
        pass

    def stop_at(step: int) -> list[Progress]:
        seen: list[Progress] = []
        ticks = itertools.count(0, 1000)  # every step is late enough for a checkpoint

        def report(progress: Progress) -> None:
            seen.append(progress)
            if progress.step == step:
                raise Interrupted

        with contextlib.suppress(Interrupted):
            train(_SMALL, tokenizer, tmp_path / "base.pt", report, lambda model: None, lambda: float(next(ticks)))
        return seen

    first, second = stop_at(5), stop_at(0)
    assert [progress.step for progress in first + second] == [1, 2, 3, 4, 5, *range(5, _SMALL.steps + 1)]
    assert first[4].answer_loss == pytest.approx(second[0].answer_loss, rel=1e-3), "step 5 was not saved and runs again"


def test_the_files_load_and_the_adapter_names_no_path(
    tokenizer: PreTrainedTokenizerFast, trained: tuple[Path, list[Progress]]
) -> None:
    folder, _ = trained
    train_first_adapter(folder / "base", tokenizer, folder / "v1", seed=3, stories=16)
    config = json.loads((folder / "v1" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == BASE_NAME
    assert str(folder) not in json.dumps(config)

    base = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    model = PeftModel.from_pretrained(base, folder / "v1")
    loaded = AutoTokenizer.from_pretrained(folder / "base")
    assert isinstance(loaded, PreTrainedTokenizerFast)
    stories = [write_story(9, index) for index in range(3)]
    written = titles(model, loaded, stories)
    assert measure(stories, written, lambda story: story.careless_title).stories == len(written) == 3
