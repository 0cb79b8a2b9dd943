"""The model servers that the contract is held against, and adapters that write titles of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from infra.settings import DEMO_MODEL
from tests.engines import KINDS, ServerProcess


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The demo model, served by our own server and by vLLM; one process each, gone before the next file begins."""
    process = ServerProcess(str(request.param), tmp_path_factory.mktemp("server") / "log")
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two adapters of the demo model with weights so wild that neither writes the other's title or the base's."""
    import torch

    folders = []
    weights = load_file(DEMO_MODEL / "v1" / "adapter_model.safetensors")
    for seed in (1, 2):
        random = torch.Generator().manual_seed(seed)
        wild = {
            name: torch.randn(tensor.shape, generator=random) * 0.5 if "lora_B" in name else tensor.float()
            for name, tensor in weights.items()
        }
        folder = tmp_path_factory.mktemp("adapters") / f"wild-{seed}"
        shutil.copytree(DEMO_MODEL / "v1", folder)
        save_file(wild, folder / "adapter_model.safetensors", {"format": "pt"})
        folders.append(folder)
    return folders[0], folders[1]
