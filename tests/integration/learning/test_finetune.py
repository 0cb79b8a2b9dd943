"""Training for real, on a tiny random model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from infra.model_server.engine import Engine
from infra.registry import digest_folder
from tests.learning_samples import article_row, correction_row, tale
from training.dataset import TRAIN, Example, select_examples
from training.evaluate import write_titles
from training.finetune import TrainingLog, encode, finetune, write_manifest
from training.recipe import CONFIGS, Quantization, Recipe, Start, load_recipe

RECIPE = Recipe(learning_rate=5e-3, epochs=6, batch_size=4, max_tokens=512)


@pytest.fixture(scope="module")
def examples() -> tuple[Example, ...]:
    articles = [article_row(number) for number in range(12)]
    rows = [correction_row(article, tale(number).house_title) for number, article in enumerate(articles)]
    return select_examples(rows, articles).of(TRAIN)


def train(
    recipe: Recipe, examples: tuple[Example, ...], base: Path, out: Path, parent: Path | None = None
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
        progress=lambda _: None,
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


@pytest.mark.parametrize("quantization", [Quantization.int8, Quantization.nf4])
def test_a_quantized_base_trains_on_a_cpu(
    quantization: Quantization, tiny_base: Path, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"quantization": quantization, "epochs": 2})
    log = train(recipe, examples, tiny_base, tmp_path / "q")
    assert log.losses[-1] < log.losses[0]
    assert (tmp_path / "q" / "adapter_model.safetensors").is_file()


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
