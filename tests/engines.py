"""Model servers as processes that can be killed: our own, and vLLM where there are wheels of it for CPUs."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from infra.settings import DEMO_MODEL, LOOPBACK
from tests.ground import free_ports, wait_until

VLLM_PYTHON = Path(__file__).parents[1] / ".venv-vllm" / "bin" / "python"
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
VLLM_ARGUMENTS = ("--enforce-eager", "--dtype", "float32", "--max-model-len", "1024")
VLLM_ADAPTERS = ("--enable-lora", "--max-loras", "2", "--max-cpu-loras", "4", "--max-lora-rank", "16")


class ServerProcess:
    """A model server with the demo's base, as a process that can be killed.

    With `merged` vLLM serves that whole model under the name instead, and takes no adapters.
    """

    def __init__(self, kind: str, said: Path, *, merged: Path | None = None, name: str = "base") -> None:
        self.kind = kind
        self._model, self._name = merged or DEMO_MODEL / "base", name
        self._adapters = () if merged else VLLM_ADAPTERS
        self._port = free_ports()
        self._said = said
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As settings want it."""
        return f"http://{LOOPBACK}:{self._port}/v1"

    def start(self) -> None:
        """Start and wait until it is ready."""
        if self.kind == "vllm":
            assert VLLM_PYTHON.is_file(), "vLLM lives in an environment of its own: make .venv-vllm/.ready"
            command = [str(VLLM_PYTHON), "-m", "vllm.entrypoints.openai.api_server", "--model", str(self._model)]
            command += ["--host", LOOPBACK, "--port", str(self._port), "--served-model-name", self._name]
            command += [*VLLM_ARGUMENTS, *self._adapters]
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
