"""A whole model beside the base in the embedded model server: tiny random ones that differ in all weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest
import torch
from safetensors.torch import load_file, save_file

from infra.model_server.batcher import Prompt
from infra.model_server.engine import BASE, AdapterBroken, AdapterLoaded, Engine
from infra.registry import digest_folder
from infra.settings import Settings
from training.serving import Rejected, model_server

ARTICLES = [f"Amber Harbor labs launches a new model {'with data ' * n}and raises {n} million." for n in range(1, 9)]


@pytest.fixture(scope="module")
def whole(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base as a training of all its weights would leave it."""
    folder = tmp_path_factory.mktemp("whole") / "model"
    shutil.copytree(tiny_base, folder)
    chance = torch.Generator().manual_seed(3)
    file = folder / "model.safetensors"
    trained = {name: w + 0.1 * torch.randn(w.shape, generator=chance) for name, w in load_file(file).items()}
    save_file(trained, file, {"format": "pt"})
    return folder


def titles(engine: Engine, name: str) -> list[str]:
    asked = [engine.tokenize([{"role": "user", "content": text}]) for text in ARTICLES]
    return [answer.text for answer in engine.complete(name, [Prompt(ids, 16) for ids in asked])]


def test_it_answers_as_if_it_were_the_base_and_changes_nobody_else(
    tiny_base: Path, whole: Path, adapters: dict[str, Path]
) -> None:
    alone = {"whole": titles(Engine.load(str(whole), "main", 1), BASE)}
    engine = Engine.load(str(tiny_base), "main", 1)
    alone["base"] = titles(engine, BASE)
    engine.load_adapter("v1", adapters["v1"])
    alone["v1"] = titles(engine, "v1")
    assert len({tuple(one) for one in alone.values()}) == 3
    engine.load_adapter("whole", whole)
    with pytest.raises(AdapterLoaded):
        engine.load_adapter("whole", whole)
    for name in ("whole", "v1", "base", "whole"):
        assert titles(engine, name) == alone[name], name
    prompt, answer = engine.tokenize([{"role": "user", "content": ARTICLES[0]}]), (5, 6, 7)
    assert engine.surprise("whole", prompt, answer) != engine.surprise("base", prompt, answer)
    engine.unload_adapter("whole")
    assert titles(engine, "v1") == alone["v1"]
    engine.load_adapter("whole", adapters["v1"])  # the name is free again
    assert titles(engine, "whole") == alone["v1"]


def test_one_that_does_not_fit_is_refused_and_its_name_stays_free(
    tiny_base: Path, whole: Path, adapters: dict[str, Path], tmp_path: Path
) -> None:
    engine = Engine.load(str(tiny_base), "main", 1)
    cut, other = Path(shutil.copytree(whole, tmp_path / "cut")), Path(shutil.copytree(whole, tmp_path / "other"))
    weights = load_file(cut / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, cut / "model.safetensors", {"format": "pt"})
    (other / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    empty = Path(shutil.copytree(whole, tmp_path / "empty"))
    (empty / "model.safetensors").unlink()
    for folder, why in ((cut, "1 tensors are missing"), (other, "chat template"), (empty, "model.safetensors")):
        with pytest.raises(AdapterBroken, match=why):
            engine.load_adapter("whole", folder)
    engine.load_adapter("whole", whole)


def test_the_server_compares_its_digest(tiny_base: Path, whole: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, base_model=str(tiny_base), torch_threads=1)
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    digest = digest_folder(copy)
    (copy / "config.json").write_text(json.dumps(json.loads((copy / "config.json").read_text()) | {"rms_norm_eps": 1}))
    with model_server(settings) as server:

        def load(folder: Path) -> httpx.Response:
            body = {"lora_name": "whole", "lora_path": str(folder), "digest": digest}
            return httpx.post(f"{server.address}/load_lora_adapter", json=body, timeout=30)

        refused = load(copy)
        assert refused.status_code == 400
        assert "changed or damaged" in refused.json()["error"]["message"]
        assert load(whole).status_code == 200
        (copy / "training_args.bin").write_bytes(b"a pickle")
        with pytest.raises(Rejected, match="is a pickle"):
            server.load("pickled", copy)
        assert server.titles("whole", ARTICLES[:1], "v4") != server.titles("base", ARTICLES[:1], "v4")
