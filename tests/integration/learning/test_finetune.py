"""Training for real, on a tiny random model."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from infra.model_server.engine import Engine
from infra.registry import digest_folder
from tests.learning_samples import article_row, correction_row, tale
from training.batches import Encoded, encode, endless_batches, title_loss
from training.dataset import TRAIN, Example, select_examples
from training.evaluate import write_titles
from training.finetune import Step, TrainingLog, add_adapter, add_gradients, finetune, load_base, write_manifest
from training.processes import ALONE, Processes
from training.recipe import CONFIGS, Method, Quantization, Recipe, Start, load_recipe

RECIPE = Recipe(learning_rate=5e-3, epochs=6, batch_size=4, max_tokens=512)


def corrected() -> tuple[Example, ...]:
    """Twelve corrected stories."""
    articles = [article_row(number) for number in range(12)]
    rows = [correction_row(article, tale(number).house_title) for number, article in enumerate(articles)]
    return select_examples(rows, articles).of(TRAIN)


@pytest.fixture(scope="module")
def examples() -> tuple[Example, ...]:
    return corrected()


def train(
    recipe: Recipe,
    examples: tuple[Example, ...],
    base: Path,
    out: Path,
    parent: Path | None = None,
    *,
    validation: tuple[Example, ...] = (),
    checkpoints: Path | None = None,
    progress: Callable[[Step], None] = lambda step: None,
    processes: Processes = ALONE,
) -> TrainingLog:
    return finetune(
        recipe,
        examples,
        base_model=str(base),
        base_revision="main",
        base_name="tiny",
        parent=parent,
        out=out,
        cut=lambda text: text[:150],
        threads=1,
        progress=progress,
        validation=validation,
        checkpoints=checkpoints,
        processes=processes,
    )


def test_the_adapter_learns_and_the_base_stays_as_it_was(
    tiny_base: Path, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    before = digest_folder(tiny_base)
    log = train(RECIPE, examples, tiny_base, tmp_path / "v2")
    assert sum(log.losses[-3:]) < 0.9 * sum(log.losses[:3])
    weights = load_file(tmp_path / "v2" / "adapter_model.safetensors")
    assert all("lora_" in name for name in weights)
    moved = [name for name, tensor in weights.items() if "lora_B" in name and tensor.abs().max() > 0]
    assert len(moved) == sum("lora_B" in name for name in weights)  # lora_B begins as zero
    assert digest_folder(tiny_base) == before
    config = json.loads((tmp_path / "v2" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"


def test_the_same_seed_gives_the_same_adapter(tiny_base: Path, examples: tuple[Example, ...], tmp_path: Path) -> None:
    short = RECIPE.model_copy(update={"epochs": 1})
    logs = [train(short, examples, tiny_base, tmp_path / name) for name in ("a", "b")]
    other = train(short.model_copy(update={"seed": 1}), examples, tiny_base, tmp_path / "c")
    assert logs[0].losses == logs[1].losses != other.losses
    first, second = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("a", "b"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_gradient_checkpointing_changes_the_memory_and_not_the_result(
    tiny_base: Path, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 2, "lora_dropout": 0.1})

    plain = train(recipe, examples, tiny_base, tmp_path / "plain")
    again = train(recipe.model_copy(update={"gradient_checkpointing": True}), examples, tiny_base, tmp_path / "again")

    assert again.losses == pytest.approx(plain.losses, rel=1e-5)


@pytest.mark.parametrize("quantization", [Quantization.int8, Quantization.nf4])
def test_a_quantized_base_trains_on_a_cpu(
    quantization: Quantization, tiny_base: Path, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"quantization": quantization, "epochs": 2})
    log = train(recipe, examples, tiny_base, tmp_path / "q")
    assert log.losses[-1] < log.losses[0]
    assert (tmp_path / "q" / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize("quantization", [Quantization.int8, Quantization.nf4])
def test_a_validation_leaves_the_gradients_of_a_quantized_base_as_they_were(
    quantization: Quantization, tiny_base: Path, examples: tuple[Example, ...]
) -> None:
    recipe = RECIPE.model_copy(update={"quantization": quantization})
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    batch = [encode(tokenizer, recipe, one.text[:150], one.title) for one in examples[:4]]
    torch.manual_seed(1)
    model = add_adapter(load_base(recipe, str(tiny_base), "main"), recipe, None)
    for name, weights in model.named_parameters():
        if "lora_B" in name:  # zero at first, and so would be most gradients
            torch.nn.init.normal_(weights, std=0.1)
    gradients = []
    for _ in range(2):
        model.train()
        model.zero_grad()
        title_loss(model, batch, 0).backward()  # type: ignore[no-untyped-call]
        gradients.append([weights.grad.clone() for weights in model.parameters() if weights.grad is not None])
        model.eval()
        with torch.inference_mode():
            title_loss(model, batch, 0)
    assert len(gradients[0]) == len(gradients[1]) > 0
    for before, after in zip(*gradients, strict=True):
        torch.testing.assert_close(after, before)


def test_training_can_go_on_from_the_champions_adapter(
    tiny_base: Path, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    first = train(RECIPE, examples, tiny_base, tmp_path / "v2")
    recipe = RECIPE.model_copy(update={"start": Start.parent, "epochs": 1})
    second = train(recipe, examples, tiny_base, tmp_path / "v3", parent=tmp_path / "v2")
    assert second.losses[0] < 0.9 * first.losses[0]


def test_the_trained_adapter_serves_by_the_servers_engine(
    tiny_base: Path, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    few = examples[:2]
    train(RECIPE.model_copy(update={"epochs": 60, "batch_size": 2}), few, tiny_base, tmp_path / "v2")
    engine = Engine.load(str(tiny_base), "main", 1)
    engine.load_adapter("v2", tmp_path / "v2")
    texts = [example.text[:150] for example in few]
    titles = write_titles(engine, "v2", texts, prompt_version="v3", max_title_tokens=120, progress=lambda _: None)
    assert titles == [example.title for example in few]  # so prompts, masks and ends are those of training


def test_the_whole_base_can_be_trained_and_served(
    tiny_base: Path, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    log = train(RECIPE.model_copy(update={"method": Method.full}), examples, tiny_base, tmp_path / "whole")
    assert log.losses[-1] < log.losses[0]
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_base, tmp_path / "whole"))
    assert log.trainable_parameters == sum(tensor.numel() for tensor in before.values())
    assert all(not torch.equal(before[name], after[name]) for name in before)
    text = examples[0].text[:150]
    titles = write_titles(
        Engine.load(str(tmp_path / "whole"), "main", 1), "base", [text], prompt_version="v3", max_title_tokens=8
    )
    assert titles[0]


def test_a_quantized_base_is_not_trained_itself() -> None:
    with pytest.raises(ValueError, match="method full"):
        Recipe.model_validate({"method": "full", "quantization": "4bit"})


@pytest.mark.parametrize("at_once", [1, 3])
def test_parts_of_a_batch_add_up_to_its_gradients(tiny_base: Path, examples: tuple[Example, ...], at_once: int) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    batch = [encode(tokenizer, RECIPE, one.text[: 40 + 9 * number], one.title) for number, one in enumerate(examples)]
    assert len({one.title_tokens for one in batch}) > 3  # else a mean of means would do
    model = load_base(RECIPE, str(tiny_base), "main")
    gradients, losses = [], []
    for size in (len(batch), at_once):
        model.zero_grad()
        weight = sum(one.weight for one in batch)
        losses.append(add_gradients(batch, size, lambda part: title_loss(model, part, 0), weight))
        gradients.append([weights.grad.clone() for weights in model.parameters() if weights.grad is not None])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for whole, parts in zip(*gradients, strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-6)


def test_the_order_of_batches_can_be_entered_anywhere() -> None:
    encoded = [Encoded((number,), 0) for number in range(10)]
    whole = [next(batches) for batches in [endless_batches(encoded, 4, 7)] for _ in range(9)]
    for done in range(9):
        assert next(endless_batches(encoded, 4, 7, done)) == whole[done]
    assert sorted(one.ids[0] for batch in whole[:3] for one in batch) == list(range(10))


def test_training_stops_when_validation_gets_no_better_and_keeps_the_best(
    tiny_base: Path, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 40, "patience": 2, "learning_rate": 2e-2})
    log = train(recipe, examples[:6], tiny_base, tmp_path / "v2", validation=examples[6:])
    assert log.steps < 80
    best = min(log.validation_losses)
    assert log.validation_losses.index(best) == len(log.validation_losses) - 3
    again = train(
        RECIPE.model_copy(update={"start": Start.parent, "learning_rate": 1e-12, "epochs": 1}),
        examples[:6],
        tiny_base,
        tmp_path / "v3",
        parent=tmp_path / "v2",
        validation=examples[6:],
    )
    assert again.validation_losses[0] == pytest.approx(best, rel=1e-4)


CHILD = """
import sys, time
from pathlib import Path
from tests.integration.learning.test_finetune import RECIPE, corrected, train
base, out, checkpoints = map(Path, sys.argv[1:])
train(RECIPE, corrected(), base, out, checkpoints=checkpoints, progress=lambda step: time.sleep(0.2))
"""


def test_a_training_that_was_killed_goes_on_to_the_very_same_weights(
    tiny_base: Path, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    undisturbed = train(RECIPE, examples, tiny_base, tmp_path / "undisturbed")
    checkpoints = tmp_path / "checkpoints"
    child = subprocess.Popen([sys.executable, "-c", CHILD, tiny_base, tmp_path / "killed", checkpoints])
    while not (checkpoints / "checkpoint.safetensors").is_file():
        assert child.poll() is None
        time.sleep(0.05)
    child.kill()
    child.wait()
    assert not (tmp_path / "killed").exists()
    resumed = train(RECIPE, examples, tiny_base, tmp_path / "killed", checkpoints=checkpoints)
    assert 0 < resumed.resumed_at < resumed.steps
    assert resumed.losses == undisturbed.losses
    first, second = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("undisturbed", "killed"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_checkpoint_of_another_training_is_nothing_to_go_on_with(
    tiny_base: Path, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    short = RECIPE.model_copy(update={"epochs": 1})
    train(short, examples, tiny_base, tmp_path / "a", checkpoints=tmp_path / "c")
    other = train(short, examples[:-1], tiny_base, tmp_path / "b", checkpoints=tmp_path / "c")
    assert other.resumed_at == 0


def test_only_the_title_and_its_end_count(tiny_base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    encoded = encode(tokenizer, RECIPE, "An article.", "A title")
    title = tokenizer.decode(list(encoded.ids[encoded.prompt_tokens :]))
    assert title == "A title<|end|>"
    with pytest.raises(ValueError, match="max_tokens"):
        encode(tokenizer, RECIPE, "word " * 600, "A title")


def test_no_example_is_an_error_in_words(tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no example"):
        train(RECIPE, (), tiny_base, tmp_path / "v2")


def test_the_manifest_is_there_only_when_it_is_whole(tmp_path: Path) -> None:
    log = TrainingLog(steps=1, examples=1, trainable_parameters=1, losses=(1.0,), seconds=0.1)
    write_manifest(tmp_path, log, {"version": "v2"})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["version"] == "v2"
    assert manifest["environment"]["torch"]
    assert [file.name for file in tmp_path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_that_comes_along_loads(path: Path) -> None:
    assert load_recipe(path.stem) == load_recipe(str(path))


def test_a_misspelt_key_and_an_unknown_recipe_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("learning_rat: 1.0e-3\n")
    with pytest.raises(ValueError, match="learning_rat"):
        load_recipe(str(tmp_path / "mine.yaml"))
    with pytest.raises(FileNotFoundError, match="demo"):
        load_recipe("ghost")


TOGETHER = """
import sys
from pathlib import Path

from tests.integration.learning.test_finetune import RECIPE, corrected, train
from training.processes import together

base, out, checkpoints = map(Path, sys.argv[1:])
with together() as processes:
    recipe = RECIPE.model_copy(update={"batch_size": 5})  # an odd number: shares are not equal
    examples = corrected()
    given = {"validation": examples[11:], "checkpoints": checkpoints, "processes": processes}
    log = train(recipe, examples[:11], base, out, **given)
    if processes.first:
        (out / "log.txt").write_text(repr((processes.size, log.losses, log.validation_losses)))
"""


def test_two_processes_train_as_one_does(tiny_base: Path, examples: tuple[Example, ...], tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"batch_size": 5})
    log = train(recipe, examples[:11], tiny_base, tmp_path / "one", validation=examples[11:])
    together = tmp_path / "two"
    program = tmp_path / "together.py"
    program.write_text(TOGETHER)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*torchrun, str(program), str(tiny_base), str(together), str(tmp_path / "checkpoints")],
        check=True,
        timeout=200,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    size, losses, validation_losses = ast.literal_eval((together / "log.txt").read_text())
    assert size == 2
    assert losses == pytest.approx(log.losses, rel=1e-4)
    assert validation_losses == pytest.approx(log.validation_losses, rel=1e-4)
    weights = [load_file(folder / "adapter_model.safetensors") for folder in (tmp_path / "one", together)]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-2, atol=1e-3)
