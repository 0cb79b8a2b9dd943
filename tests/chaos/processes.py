"""Processes that are started again when they end, as a supervisor does; every end is written down."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LAST_WORDS = 4_000


@dataclass(frozen=True)
class Exit:
    """How a process ended. `struck` is the last signal that we sent to end it, if any; `log` all that it wrote."""

    name: str
    status: int
    struck: signal.Signals | None
    at: float
    log: Path

    @property
    def kind(self) -> str:
        """The name without the number."""
        return self.name.rstrip("-0123456789")

    @property
    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-LAST_WORDS:]


@dataclass
class Program:
    """One process at a time of one command. `{start}` in the command becomes the number of the start."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    struck: signal.Signals | None = None
    stopped: bool = False
    again_at: float = 0.0
    log: Path = field(init=False)

    def start(self) -> None:
        self.starts += 1
        self.struck, self.stopped = None, False
        self.log = self.folder / f"{self.name}.{self.starts}.log"
        command = [word.replace("{start}", str(self.starts)) for word in self.command]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def strike(self, signum: signal.Signals) -> None:
        """Send a signal that ends it. One that is stopped must go on first, or it would not hear a SIGTERM."""
        if self.process is not None and self.running:
            if self.struck is not signal.SIGKILL:  # that one ends it, whatever comes while it does
                self.struck = signum
            self.process.send_signal(signum)
            self.go_on()

    def freeze(self) -> None:
        if self.process is not None and self.running:
            self.stopped = True
            self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        if self.process is not None and self.running and self.stopped:
            self.process.send_signal(signal.SIGCONT)
        self.stopped = False

    def ended(self) -> Exit | None:
        """Its end, told once."""
        if self.process is None or (status := self.process.poll()) is None:
            return None
        self.process = None
        return Exit(self.name, status, self.struck, time.monotonic(), self.log)


class Supervisor:
    """Starts programs again `pause_s` after they ended; `exits` is what happened."""

    def __init__(self, pause_s: float = 0.5) -> None:
        self.pause_s = pause_s
        self.programs: list[Program] = []
        self.leaving: list[Program] = []
        self.exits: list[Exit] = []

    def add(self, program: Program) -> Program:
        program.start()
        self.programs.append(program)
        return program

    def remove(self, program: Program) -> None:
        """Stop it for good; its end is told like all others."""
        self.programs.remove(program)
        self.leaving.append(program)
        program.strike(signal.SIGTERM)

    def tend(self) -> None:
        """Look after all programs; call it often."""
        now = time.monotonic()
        for program in [*self.programs, *self.leaving]:
            if (end := program.ended()) is not None:
                self.exits.append(end)
                program.again_at = now + self.pause_s
        for program in self.programs:
            if program.process is None and now >= program.again_at:
                program.start()

    def stop(self, programs: Sequence[Program], timeout_s: float = 90) -> None:
        """SIGTERM, then wait. Fails for what does not end in time, and ends it with -9."""
        programs = list(programs)  # it may be our own list, which gets shorter
        for program in programs:
            self.remove(program)
        deadline = time.monotonic() + timeout_s
        while any(program.running for program in programs) and time.monotonic() < deadline:
            time.sleep(0.1)
        late = [program.name for program in programs if program.running]
        self.tend()
        for program in programs:
            program.strike(signal.SIGKILL)
        assert not late, f"still running {timeout_s:g} s after SIGTERM: {late}"

    def kill(self) -> None:
        """End all that is left, whatever happened before."""
        for program in [*self.programs, *self.leaving]:
            if program.process is not None:
                program.process.kill()
                program.process.wait()
