"""The model servers that the contract is held against: ours, and vLLM where there are wheels of it for CPUs."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from safetensors.torch import load_file, save_file

from infra.settings import DEMO_MODEL, LOOPBACK
from tests.ground import free_ports, wait_until

VLLM_PYTHON = Path(__file__).parents[3] / ".venv-vllm" / "bin" / "python"
"""Its dependencies and Faust's exclude each other."""
READY_S = 400
"""vLLM's three processes import one after the other."""
STOP_S = 60
VLLM_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_TARGET_DEVICE": "cpu",
    "OMP_NUM_THREADS": "1",
}
VLLM_ARGUMENTS = (
    *("--served-model-name", "base", "--enforce-eager", "--dtype", "float32", "--max-model-len", "1024"),
    *("--enable-lora", "--max-loras", "2", "--max-cpu-loras", "4", "--max-lora-rank", "16"),
)


class ServerProcess:
    """A model server with the demo's base, as a process that can be killed."""

    def __init__(self, kind: str, said: Path) -> None:
        self.kind = kind
        self._port = free_ports()
        self._said = said
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As settings want it."""
        return f"http://{LOOPBACK}:{self._port}/v1"

    def start(self) -> None:
        """Start and wait until it is ready."""
        base = str(DEMO_MODEL / "base")
        if self.kind == "vllm":
            assert VLLM_PYTHON.is_file(), "vLLM lives in an environment of its own: make .venv-vllm/.ready"
            command = [str(VLLM_PYTHON), "-m", "vllm.entrypoints.openai.api_server", "--model", base]
            command += ["--host", LOOPBACK, "--port", str(self._port), *VLLM_ARGUMENTS]
            environment = os.environ | VLLM_ENVIRONMENT
        else:
            command = [sys.executable, "-m", "copydesk", "model-server"]
            environment = os.environ | {"COPYDESK_MODEL_SERVER_PORT": str(self._port), "COPYDESK_TORCH_THREADS": "1"}
        with self._said.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        wait_until(self._ready, READY_S, every_s=0.5)

    def kill(self) -> None:
        """kill -9 to all of its processes."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """A clean stop."""
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._said.read_text(errors="replace")[-3000:]
        try:
            with urlopen(f"http://{LOOPBACK}:{self._port}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


KINDS = ["embedded", *(["vllm"] if (sys.platform, platform.machine()) == ("linux", "x86_64") else [])]


@pytest.fixture(scope="session", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The demo model, served by our own server and by vLLM; one process each for all tests."""
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
