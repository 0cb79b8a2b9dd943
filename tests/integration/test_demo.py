"""The whole wheel, as a visitor runs it, with everything killed once on the way."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from copydesk.ports import WORKERS
from tests.ground import free_ports
from training.gate import ALLOWANCE

VICTIMS = (*WORKERS, "model-server", "broker")
TIME_LIMIT_S = 900


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    first = free_ports(5 + len(WORKERS))  # the second is the broker's controller
    environment = {
        **os.environ,
        "COPYDESK_HOME": str(tmp_path / "home"),
        "COPYDESK_KAFKA_PORT": str(first),
        "COPYDESK_DESK_PORT": str(first + 2),
        "COPYDESK_NEWSROOM_PORT": str(first + 3),
        "COPYDESK_MODEL_SERVER_PORT": str(first + 4),
        "COPYDESK_METRICS_FIRST_PORT": str(first + 5),
    }
    with (tmp_path / "stderr.txt").open("w") as progress:
        process = subprocess.Popen(
            [sys.executable, "-m", "copydesk", "demo", "--once", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=progress,
            text=True,
        )
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(120)


def _member(demo: subprocess.Popen[str], name: str) -> psutil.Process | None:
    """The live process of that name among the demo's descendants."""
    wanted = {"broker": "kafka.Kafka", "model-server": "model-server"}.get(name, f"worker {name}")
    for process in psutil.Process(demo.pid).children(recursive=True):
        try:
            if wanted in " ".join(process.cmdline()):
                return process
        except psutil.NoSuchProcess:
            continue
    return None


def _wait_for_progress(demo: subprocess.Popen[str], stderr: Path, words: str) -> None:
    deadline = time.monotonic() + 300
    while words not in stderr.read_text():
        assert demo.poll() is None, f"the demo has ended:\n{stderr.read_text()[-3000:]}"
        assert time.monotonic() < deadline, f"never saw {words!r}:\n{stderr.read_text()[-3000:]}"
        time.sleep(0.5)


@pytest.mark.timeout(TIME_LIMIT_S + 300)
def test_the_wheel_turns_once_and_loses_nothing_though_every_process_is_killed(
    demo: subprocess.Popen[str], tmp_path: Path
) -> None:
    stderr = tmp_path / "stderr.txt"
    _wait_for_progress(demo, stderr, "the scripted curator corrects")
    killed = []
    for victim in VICTIMS:
        process = _member(demo, victim)
        if process is not None:
            process.kill()
            killed.append(victim)
        _wait_until_back(demo, victim, process)

    out, _ = demo.communicate(timeout=TIME_LIMIT_S)

    assert demo.returncode == 0, f"{stderr.read_text()[-5000:]}\n{out}"
    outcome = json.loads(out)
    assert set(killed) == set(VICTIMS)
    assert outcome["lost"] == 0
    assert outcome["articles"] == outcome["titles"] + outcome["dead_letters"] > 50
    assert outcome["champion_before"] != outcome["champion_after"]
    before, after = outcome["holdout"]["before"], outcome["holdout"]["after"]
    assert before["n"] == after["n"] >= 20
    assert after["house_rules_pass"] - before["house_rules_pass"] >= 0.20
    assert "passed" in outcome["gate"]
    # what the gate takes for chance, this test must take for chance too
    assert after["entities_right"] >= before["entities_right"] - ALLOWANCE / math.sqrt(after["n"])
    assert _member_left(tmp_path) == []


def _wait_until_back(demo: subprocess.Popen[str], victim: str, killed: psutil.Process | None) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        process = _member(demo, victim)
        if process is not None and process != killed:
            return
        time.sleep(0.2)
    pytest.fail(f"{victim} did not come back")


def _member_left(tmp_path: Path) -> list[str]:
    """Processes that still work on this data folder after the demo has ended."""
    left = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("COPYDESK_HOME") == str(tmp_path / "home"):
                left.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return left
