"""The supervisor with real processes: restarts, order, and nothing left behind however the end comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.settings import Settings
from infra.supervisor import AlreadyRunning, Process, State, Supervisor
from infra.supervisord import STAY_UP_S
from tests.ground import wait_until

DIARY = """
import os, signal, sys, time
def note(word):
    with open(os.environ["DIARY"], "a") as diary:
        diary.write(f"{word} {sys.argv[1]} {os.getpid()}\\n")
def stop(*_):
    note("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
note("started")
print("hello from", sys.argv[1], flush=True)
while True:
    time.sleep(60)
"""
FRONT = """
import sys, time
from pathlib import Path
from infra.settings import Settings
from infra.supervisor import Process, Supervisor
home, script, *names = sys.argv[1:]
Supervisor(Settings(home=Path(home)), [
    Process(name, (sys.executable, "-c", script, name), n, {"DIARY": home + "/diary"}) for n, name in enumerate(names)
]).start()
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def _process(home: Path, name: str, priority: int = 0, script: str = DIARY) -> Process:
    environment = {"DIARY": str(home / "diary"), "AWKWARD": "100% \"quoted\", 'and' ; commented # out"}
    return Process(name, (sys.executable, "-c", script, name), priority, environment)


def _diary(home: Path, word: str) -> list[str]:
    """Names in the order in which they wrote the word."""
    try:
        lines = [line.split() for line in (home / "diary").read_text().splitlines()]
    except FileNotFoundError:
        return []
    return [name for written, name, _ in lines if written == word]


def _running(supervisor: Supervisor, name: str) -> State | None:
    state = supervisor.states()[name]
    return state if state.state == "RUNNING" else None


def _workers_on(home: Path) -> list[psutil.Process]:
    """Every live process that belongs to this data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("DIARY") == str(home / "diary") or process.cwd() == str(home / "run")
            if process.status() != psutil.STATUS_ZOMBIE and mine:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def front(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that runs a supervisor over `first` and `second`."""
    command = [sys.executable, "-c", FRONT, str(home), DIARY, "first", "second"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        wait_until(lambda: len(_diary(home, "started")) == 2)
        yield process
        process.kill()


def test_a_process_that_is_killed_comes_back_and_is_counted(home: Path) -> None:
    with Supervisor(Settings(home=home), [_process(home, "worker")]) as supervisor:
        before = wait_until(lambda: _running(supervisor, "worker"))
        os.kill(before.pid, signal.SIGKILL)
        wait_until(lambda: len(_diary(home, "started")) == 2)
        after = wait_until(lambda: _running(supervisor, "worker"))
        assert after.pid != before.pid
        assert (before.restarts, after.restarts) == (0, 1)
        assert supervisor.trouble() == ""


def test_processes_stop_one_after_the_other_last_started_first(home: Path) -> None:
    names = ["broker", "generator", "scraper"]
    with Supervisor(Settings(home=home), [_process(home, name, n) for n, name in enumerate(names)]):
        wait_until(lambda: len(_diary(home, "started")) == 3)
    assert _diary(home, "stopped") == ["scraper", "generator", "broker"]
    assert _workers_on(home) == []


def test_one_process_can_be_stopped_and_started_while_the_others_run_on(home: Path) -> None:
    with Supervisor(Settings(home=home), [_process(home, "a"), _process(home, "b", 1)]) as supervisor:
        b = wait_until(lambda: _running(supervisor, "b"))
        wait_until(lambda: len(_diary(home, "started")) == 2)
        supervisor.stop_process("a")
        supervisor.stop_process("a")
        assert supervisor.states()["a"].state == "STOPPED"
        assert supervisor.trouble() == ""
        supervisor.start_process("a")
        wait_until(lambda: len(_diary(home, "started")) == 3)
        supervisor.restart("a")
        wait_until(lambda: len(_diary(home, "started")) == 4)
        assert supervisor.states()["b"].pid == b.pid
        assert supervisor.states()["a"].restarts == 0
        assert _diary(home, "stopped") == ["a", "a"]


def test_a_process_that_cannot_stay_up_is_reported_with_its_last_words(home: Path) -> None:
    script = "import sys; sys.exit('port 1 is taken: set COPYDESK_KAFKA_PORT')"
    processes = [_process(home, "broken", 0, script), _process(home, "sound", 1)]
    with Supervisor(Settings(home=home), processes) as supervisor:
        trouble = wait_until(supervisor.trouble)
        wait_until(lambda: _running(supervisor, "sound"))
    assert "broken does not stay up" in trouble
    assert "port 1 is taken: set COPYDESK_KAFKA_PORT" in trouble
    assert "sound" not in trouble


@pytest.mark.parametrize(("status", "starts"), [(65, 1), (70, 2), (0, 2)])
def test_a_process_that_wants_a_person_first_is_left_down(home: Path, status: int, starts: int) -> None:
    script = f"import os, time\nprint('here', flush=True)\ntime.sleep({STAY_UP_S + 0.5})\nos._exit({status})"
    with Supervisor(Settings(home=home), [_process(home, "worker", script=script)]) as supervisor:
        output = home / "logs" / "worker.log"
        wait_until(lambda: supervisor.states()["worker"].restarts == 1, 30)
        time.sleep(1.0)
        assert output.read_text().count("here") == starts
        assert (supervisor.states()["worker"].state == "EXITED") == (status == 65)


def test_environment_and_output_arrive_whole(home: Path) -> None:
    script = "import os, time; print(os.environ['AWKWARD'], flush=True); time.sleep(60)"
    log = home / "logs" / "odd.log"
    process = _process(home, "odd", 0, script)
    with Supervisor(Settings(home=home), [process]):
        wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    assert log.read_text() == process.environment["AWKWARD"] + "\n"
    assert (home / "run" / "odd.json").stat().st_mode & 0o077 == 0  # settings may hold secrets


def test_a_data_folder_with_a_very_long_and_awkward_name_works(tmp_path: Path) -> None:
    home = tmp_path / ("long name 100% " * 12).strip()
    with Supervisor(Settings(home=home), [_process(home, "worker")]) as supervisor:
        wait_until(lambda: _running(supervisor, "worker"))
    assert _diary(home, "stopped") == ["worker"]


def test_a_second_start_on_the_same_data_folder_says_who_runs_already(home: Path) -> None:
    with Supervisor(Settings(home=home), [_process(home, "worker")]):
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
            Supervisor(Settings(home=home), [_process(home, "worker")]).start()
        wait_until(lambda: _diary(home, "started") == ["worker"])
    with Supervisor(Settings(home=home), [_process(home, "worker")]):
        wait_until(lambda: _diary(home, "started") == ["worker", "worker"])


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_when_the_front_process_dies_everything_stops_in_order(
    front: subprocess.Popen[str], home: Path, signum: signal.Signals
) -> None:
    front.send_signal(signum)
    front.wait()
    wait_until(lambda: not _workers_on(home))
    assert _diary(home, "stopped") == ["second", "first"]


def test_when_supervisord_is_killed_nothing_is_left(front: subprocess.Popen[str], home: Path) -> None:
    daemon = psutil.Process(int((home / "run" / "supervisord.pid").read_text()))
    assert daemon.ppid() == front.pid
    daemon.kill()
    wait_until(lambda: not [p for p in _workers_on(home) if p.pid != daemon.pid])


def test_the_death_of_supervisord_is_told(home: Path) -> None:
    with Supervisor(Settings(home=home), [_process(home, "worker")]) as supervisor:
        psutil.Process(int((home / "run" / "supervisord.pid").read_text())).kill()
        trouble = wait_until(supervisor.trouble)
    assert "the supervisor itself has ended" in trouble


def test_a_start_right_after_a_kill_waits_for_what_still_stops(front: subprocess.Popen[str], home: Path) -> None:
    front.kill()
    front.wait()
    with Supervisor(Settings(home=home), [_process(home, "third")]):
        wait_until(lambda: "third" in _diary(home, "started"))
        lines = (home / "diary").read_text().splitlines()
    words = [line.rsplit(" ", 1)[0] for line in lines]
    assert words.index("stopped first") < words.index("started third")


def test_a_child_that_ignores_sigterm_is_killed_in_the_end(home: Path) -> None:
    deaf = textwrap.dedent("""
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open(os.environ["DIARY"], "a").write(f"started deaf {os.getpid()}\\n")
        while True: time.sleep(60)
    """)
    process = _process(home, "deaf", 0, deaf)
    process = Process(process.name, process.command, 0, process.environment, stop_s=1)
    with Supervisor(Settings(home=home), [process]):
        wait_until(lambda: _diary(home, "started"))
    assert _workers_on(home) == []
