"""One word in place of every secret, servers that are away: the word is nowhere but where we put it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from infra.settings import LOOPBACK, Settings
from tests.ground import environment_for, free_ports, wait_until

CANARY = "c4nary-in-the-coal-mine"
SECRETS = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]
NOBODY = f"{LOOPBACK}:1"


def settings_of_servers_that_are_away(home: Path) -> Settings:
    """Every server is somewhere else and nobody is there; every secret is the word."""
    ports = {name: free_ports() for name in ("desk_port", "newsroom_port", "model_server_port")}
    return Settings.model_validate(
        {
            "home": home,
            "kafka_bootstrap": NOBODY,
            "kafka_security": "sasl_plaintext",
            "kafka_username": "desk",
            "model_server_url": f"http://{NOBODY}/v1",
            "metrics_first_port": 0,
            **ports,
            **dict.fromkeys(SECRETS, CANARY),
            "database_url": f"postgresql://desk:{CANARY}@{NOBODY}/copydesk",
        }
    )


def given_by(way: str, settings: Settings, folder: Path) -> dict[str, str]:
    """The environment of a process that has its secrets from there, or from files."""
    environment = environment_for(settings)
    if way == "environment":
        return environment
    folder.mkdir()
    for name in settings.secret_environment():
        (folder / name).write_text(environment.pop(name))
    return environment | {"COPYDESK_SECRETS_DIR": str(folder)}


def log_of(command: list[str], folder: Path) -> Path:
    return folder / ("-".join(command) + ".log")


def start(command: list[str], environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    with log_of(command, folder).open("wb") as file:
        return subprocess.Popen([sys.executable, "-m", "copydesk", *command], env=environment, stdout=file, stderr=file)


def files_with_the_word(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


@pytest.mark.parametrize("way", ["environment", "files"])
def test_no_command_says_a_secret_when_servers_are_away(tmp_path: Path, way: str) -> None:
    settings = settings_of_servers_that_are_away(tmp_path / "home")
    environment = given_by(way, settings, tmp_path / "secrets")
    commands = [
        ["doctor"],
        ["doctor", "--json"],
        ["explain", "ffff"],
        ["feeds", "list"],
        ["models", "list"],
        ["retrain", "status"],
        ["up"],
        ["worker", "archivist"],
        ["worker", "scraper"],
        ["worker", "desk"],
    ]
    running = [(command, start(command, environment, tmp_path)) for command in commands]
    deadline = time.monotonic() + 45
    for command, process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait(60)
        said = log_of(command, tmp_path).read_text()
        assert said, f"{command} said nothing"
        assert CANARY not in said, f"{command} said it:\n{said}"
    assert files_with_the_word(tmp_path / "home") == []


@pytest.mark.timeout(240)
def test_no_file_and_no_command_line_of_a_running_stack_holds_a_secret(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = settings_of_servers_that_are_away(home).model_copy(update={"database_url": SecretStr("")})
    stack = start(["up"], environment_for(settings), tmp_path)
    try:
        wait_until(lambda: "no Kafka broker answers" in _text(home / "logs" / "archivist.log"), 120)
        time.sleep(5)
        family = psutil.Process(stack.pid).children(recursive=True)
        assert len(family) >= 7, "supervisord and six workers"
        assert not [process.cmdline() for process in family if any(CANARY in word for word in process.cmdline())]
        worker = next(process for process in family if process.cmdline()[-1:] == ["generator"])
        assert worker.environ()["COPYDESK_MODEL_SERVER_KEY"] == CANARY, "and yet they have it"
    finally:
        stack.send_signal(signal.SIGTERM)
        stack.wait(120)
    assert files_with_the_word(tmp_path) == []
    assert (home / "run" / "generator.json").stat().st_mode & 0o077 == 0


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
