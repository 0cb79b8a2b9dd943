"""Keeps a set of processes running: restarts what dies, with growing pauses, and stops everything in order.

supervisord does it; this module writes its configuration, starts it and talks to it. Nothing is left behind however
the end comes: on a clean stop supervisord stops its children one after the other, last started first; when the front
process dies, the kernel tells supervisord to do that; when supervisord dies, the kernel kills its children (Linux;
elsewhere kill -9 of either leaves processes behind that the next `start` names).

    <home>/run/    configuration, launch files (mode 0600), lock, supervisord's own log
    <home>/logs/   one log per process, rotated

Secrets are in no file: supervisord has them in its environment, and its children inherit that.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TypedDict

import psutil
from supervisor.xmlrpc import SupervisorTransport

from infra import lifeline
from infra.folder import FolderUnusable, make_usable, write_whole
from infra.settings import Settings
from infra.supervisord import Process, configuration, count_ends, last_lines, socket_path
from schemas.errors import Mendable

__all__ = ["AlreadyRunning", "Process", "State", "Supervisor", "SupervisorFailed"]

START_TIMEOUT_S = 30.0
DOWN = ("BACKOFF", "FATAL", "EXITED", "UNKNOWN", "GONE")


class AlreadyRunning(Mendable):
    """Another supervisor works on the same data folder."""


class SupervisorFailed(Mendable):
    """supervisord could not be started, or did not do what it was told; the message has its last words."""


@dataclass(frozen=True)
class State:
    """A process as it is now: supervisord's state names, and GONE for all when supervisord itself has died.

    `pid` is 0 unless it runs; `restarts` counts how often it ended by itself since the supervisor started.
    """

    name: str
    state: str
    pid: int
    restarts: int
    uptime_s: float


class _Info(TypedDict):
    name: str
    statename: str
    pid: int
    now: int
    start: int


class Supervisor:
    """Runs the processes from `start` to `stop`; a context manager does both.

    Call `start` from a thread that lives as long as the process: its end counts as the end of us all.
    """

    def __init__(self, settings: Settings, processes: Sequence[Process]) -> None:
        self._home = settings.home.resolve()
        self._secrets = settings.secret_environment()
        self._processes = tuple(processes)
        self._run = self._home / "run"
        self._logs = self._home / "logs"
        self._socket = socket_path(self._run)
        self._daemon: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._held: set[str] = set()

    def __enter__(self) -> Supervisor:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start supervisord and with it all processes; returns once it answers.

        Raises `AlreadyRunning`, `FolderUnusable` or `SupervisorFailed`.
        """
        make_usable(self._home)
        try:
            self._run.mkdir(exist_ok=True)
            self._logs.mkdir(exist_ok=True)
            self._socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = take_lock(self._run / "lock")
            self._await_predecessor()
            self._write_files()
        except OSError as error:
            self._release_lock()
            raise FolderUnusable(self._home, error.strerror or str(error)) from error
        launcher = (sys.executable, "-I", lifeline.__file__, str(os.getpid()), "SIGTERM")
        with (self._run / "supervisord.err").open("wb") as errors:
            self._daemon = subprocess.Popen(
                [*launcher, str(self._run / "supervisord.json")],
                env=os.environ | self._secrets,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,  # Ctrl-C in the terminal reaches the front process only
            )
        self._await_answer()

    def states(self) -> dict[str, State]:
        """Every process as it is now, in starting order."""
        try:
            with self._rpc() as rpc:
                infos: list[_Info] = rpc.supervisor.getAllProcessInfo()  # type: ignore[assignment]
        except OSError:
            return {process.name: State(process.name, "GONE", 0, 0, 0.0) for process in self._processes}
        ends = self._ends()
        by_name = {
            info["name"]: State(
                name=info["name"],
                state=info["statename"],
                pid=info["pid"],
                restarts=ends.get(info["name"], 0),
                uptime_s=float(info["now"] - info["start"]) if info["pid"] else 0.0,
            )
            for info in infos
        }
        return {process.name: by_name[process.name] for process in self._processes}

    def trouble(self) -> str:
        """Which processes do not run although they should, with their last words; empty if all is well."""
        down = [state for state in self.states().values() if state.state in DOWN and state.name not in self._held]
        if down and all(state.state == "GONE" for state in down):
            return f"the supervisor itself has ended; see {self._run / 'supervisord.log'}"
        return "\n".join(
            f"{state.name} does not stay up (ended {state.restarts} times, {state.state.lower()}); the end of"
            f" {self._logs / state.name}.log:\n{last_lines(self._logs / f'{state.name}.log', 5)}"
            for state in down
        )

    def stop_process(self, name: str) -> None:
        """Stop one process cleanly and leave it stopped; returns when it has ended. Harmless if it does not run."""
        self._held.add(name)
        if self.states()[name].state in ("RUNNING", "STARTING", "BACKOFF"):
            self._call("stopProcess", name)

    def start_process(self, name: str) -> None:
        """Start one process again. Harmless if it runs; whether it stays up is `trouble`'s to tell."""
        self._held.discard(name)
        if self.states()[name].state not in ("RUNNING", "STARTING", "BACKOFF"):
            self._call("startProcess", name, False)

    def restart(self, name: str) -> None:
        """Stop one process cleanly and start it again."""
        self.stop_process(name)
        self.start_process(name)

    def stop(self, timeout_s: float = 120.0) -> None:
        """Stop all processes in order, last started first; what has not ended after `timeout_s` is killed."""
        if self._daemon is None:
            return
        family = _family(self._daemon.pid)
        if self._daemon.poll() is None:
            self._daemon.terminate()
            try:
                self._daemon.wait(timeout_s)
            except subprocess.TimeoutExpired:
                family = _family(self._daemon.pid)
                self._daemon.kill()
                self._daemon.wait()
        for process in family:
            if process.is_running():
                process.kill()
        psutil.wait_procs(family, timeout=5)
        self._daemon = None
        self._release_lock()

    def _call(self, method: str, *arguments: str | bool) -> None:
        try:
            with self._rpc() as rpc:
                getattr(rpc.supervisor, method)(*arguments)
        except (xmlrpc.client.Error, OSError) as error:
            raise SupervisorFailed(f"{method} {arguments[0]}: {error}") from error

    def _rpc(self) -> xmlrpc.client.ServerProxy:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)

    def _write_files(self) -> None:
        for process in self._processes:
            write_launch_file(self._run / f"{process.name}.json", process.command, process.environment, Path.cwd())
        write_whole(self._run / "supervisord.conf", configuration(self._processes, self._socket))
        command = (sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", "supervisord.conf")
        write_launch_file(self._run / "supervisord.json", command, {}, self._run)
        log = self._run / "supervisord.log"
        if log.exists():  # restarts are counted in it, from this start on
            log.replace(log.with_suffix(".old"))

    def _await_predecessor(self) -> None:
        """After kill -9 of the front process its supervisord is still stopping things for a while."""
        try:
            predecessor = psutil.Process(int((self._run / "supervisord.pid").read_text()))
            if predecessor.cwd() == str(self._run):  # else the number has gone to somebody else
                predecessor.wait(60)
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
            return
        except psutil.TimeoutExpired as error:
            self._release_lock()
            raise AlreadyRunning(f"process {error.pid} still works on {self._home}: stop it first") from error

    def _await_answer(self) -> None:
        assert self._daemon is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._daemon.poll() is None and time.monotonic() < deadline:
            if all(state.state != "GONE" for state in self.states().values()):
                return
            time.sleep(0.05)
        self.stop(timeout_s=5)
        words = last_lines(self._run / "supervisord.err", 5) or last_lines(self._run / "supervisord.log", 5)
        raise SupervisorFailed(f"supervisord does not start:\n{words}")

    def _ends(self) -> dict[str, int]:
        """How often each process has ended by itself, from supervisord's own log: its interface does not say."""
        try:
            return count_ends((self._run / "supervisord.log").read_text(errors="replace"))
        except FileNotFoundError:
            return {}

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def write_launch_file(path: Path, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
    """What `infra/lifeline.py` is to become, and where. Readable by nobody else."""
    launch = {"command": list(command), "environment": dict(environment), "folder": str(folder)}
    write_whole(path, json.dumps(launch), 0o600)


def take_lock(path: Path) -> IO[str]:
    """The data folder's lock, held until the file is closed. Raises `AlreadyRunning` with the holder's process id."""
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise AlreadyRunning(
            f"Copydesk already runs on {path.parent.parent} (process {holder}). Stop it first, or give this one a data"
            " folder and ports of its own (COPYDESK_HOME, COPYDESK_KAFKA_PORT, COPYDESK_DESK_PORT, …)."
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
