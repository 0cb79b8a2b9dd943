"""A promotion and a rollback as a person gives them, down to the generator that writes: all processes are real."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from editorial import prompts
from infra.database import make_engine, migrate
from infra.registry import CHAMPION, ModelRegistry, base_identity, digest_folder
from infra.settings import LOOPBACK, Settings
from schemas.records import ModelVersionRow
from tests.ground import environment_for, free_ports, wait_until
from workers.retrainer.announce import announce

PATIENCE_S = 120
SECONDS = 10.0
"""What counts as seconds on a busy machine."""


@contextmanager
def process(settings: Settings, *command: str) -> Iterator[None]:
    started = subprocess.Popen([sys.executable, "-m", "copydesk", *command], env=environment_for(settings))
    try:
        yield
    finally:
        started.kill()
        started.wait()


def run(settings: Settings, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "copydesk", *command],
        env=environment_for(settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def serves(settings: Settings, version: str) -> bool:
    """Whether the generator says that it writes with this version."""
    try:
        lines = httpx.get(f"http://{LOOPBACK}:{settings.metrics_port}/metrics").text.splitlines()
    except httpx.TransportError:
        return False
    return any(line.startswith("copydesk_adapter_info{") and f'model_version="{version}"' in line for line in lines)


def register(registry: ModelRegistry, version: str, folder: Path, settings: Settings) -> None:
    base_model, base_revision = base_identity(settings)
    registry.register(
        ModelVersionRow(
            version=version,
            artefact_uri=str(folder),
            digest=digest_folder(folder),
            base_model=base_model,
            base_revision=base_revision,
            dataset_hash="",
            prompt_version="v3",
            prompt_digest=prompts.digest("v3"),
            parent=None,
            config={},
            metrics={},
            created_at=datetime.now(UTC),
        )
    )


@pytest.mark.timeout(600)
def test_a_rollback_is_one_command_and_serves_within_seconds_and_what_was_tampered_with_never_does(
    settings: Settings, tiny_base: Path, adapters: dict[str, Path]
) -> None:
    ports = free_ports(2)
    settings = settings.model_copy(
        update={
            "base_model": str(tiny_base),
            "model_server_port": ports,
            "metrics_port": ports + 1,
            "torch_threads": 1,
        }
    )
    engine = make_engine(settings)
    migrate(engine)
    registry = ModelRegistry(engine)
    for version in ("v1", "v2"):
        register(registry, version, adapters[version], settings)
    tampered = Path(shutil.copytree(adapters["v2"], settings.home / "v3"))
    register(registry, "v3", tampered, settings)
    (tampered / "README.md").write_text("somebody was here")
    registry.set_alias(CHAMPION, "v1", expected_sequence=0, actor="test", reason="first", gate_verdict="none")
    announce(registry, settings)
    server = settings.model_copy(update={"metrics_port": 0})
    with process(server, "model-server"), process(settings, "worker", "generator"):
        wait_until(lambda: serves(settings, "v1"), PATIENCE_S, every_s=0.5)
        for command, version in (("promote", "v2"), ("rollback", "v1"), ("promote", "v2")):
            arguments = (version,) if command == "promote" else ()
            began = time.monotonic()
            done = run(server, "models", command, *arguments, "--reason", "a test")
            returned = time.monotonic()
            assert done.returncode == 0, done.stderr
            wait_until(lambda version=version: serves(settings, version), PATIENCE_S)  # type: ignore[misc]
            ended = time.monotonic()
            print(f"{command}: {returned - began:.1f} s for the command, {ended - returned:.2f} s more until it serves")
            assert ended - returned < SECONDS

        refused = run(server, "models", "promote", "v3", "--reason", "a test")
        assert refused.returncode == 2
        assert "changed or damaged" in " ".join(refused.stderr.replace("│", " ").split())
        registry.set_alias(CHAMPION, "v3", expected_sequence=4, actor="test", reason="behind", gate_verdict="none")
        announce(registry, server)  # somebody goes round the command: the generator does not go along
        time.sleep(3)
        assert serves(settings, "v2")
        names = {model["id"] for model in httpx.get(f"{settings.model_server}/models").json()["data"]}
        assert "v3" not in names
