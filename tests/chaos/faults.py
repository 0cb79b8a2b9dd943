"""What is done to the newspaper: a seeded draw of faults, each undone by itself after a while.

The seed draws which fault comes when, whom it hits and how long it lasts. How far each process has come by then is up
to the machine, so two runs of a seed are alike but not the same.
"""

from __future__ import annotations

import math
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.chaos.newspaper import LEAST, MOST, USUAL, WORKERS, Newspaper
from tests.chaos.processes import Program

KILL, TERM, STOP = "worker kill -9", "worker SIGTERM", "worker SIGSTOP"
ALL = "all of a worker kill -9"
BROKER, DATABASE, MODEL = "broker kill -9", "database crash", "model server kill -9"
DISK, ADDED, REMOVED = "disk full", "worker added", "worker removed"
SHARES = {ALL: 1, KILL: 3, TERM: 2, STOP: 2, BROKER: 1, DATABASE: 1, MODEL: 1, DISK: 1, ADDED: 1, REMOVED: 1}
LEAST_S = 2.0
"""How long harm lasts that does not mend itself."""
FREEZE = 3
"""A freeze may last so many times longer, and then longer than a worker's session in its group: others have its
messages when it wakes up and goes on with them."""
FULL = 10
"""So many messages in hand are enough to see whether they are lost."""
HELD_S = {"archivist": 2.5, "generator": 2.5, "scorer": 0.0}
"""In hand for so long, and the worker has committed meanwhile: what was acknowledged too early is lost with it. The
scorer cannot be held up from outside; it is struck last, for without it little flows for a while."""
HANDS_S = 30.0
"""Longest wait for that; without work there is nothing to lose."""


@dataclass(frozen=True)
class Struck:
    """A fault that happened: what, to whom, from when to when (monotonic seconds)."""

    fault: str
    victim: str
    began: float
    over: float


@dataclass
class Faults:
    """Strikes the newspaper; `struck` is what happened so far.

    `in_hand`: by worker how much was in the hands of all its processes when they were killed together, at best.
    """

    paper: Newspaper
    seed: int
    longest_s: float
    struck: list[Struck] = field(default_factory=list)
    in_hand: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._draw = random.Random(f"faults {self.seed}")
        self._whole = list(HELD_S)
        self._first = [fault for fault in SHARES if fault != ALL]
        self._draw.shuffle(self._first)
        self._first += [ALL] * len(WORKERS)  # they are struck first, while there is most to do
        self._due: list[tuple[float, Callable[[], None]]] = []

    @property
    def kinds(self) -> int:
        """How many faults it takes until each kind was there, and each worker was killed as a whole."""
        return len(SHARES) - 1 + len(WORKERS)

    def strike(self) -> Struck:
        """Do harm: each kind once, then at random."""
        fault = self._first.pop() if self._first else self._draw.choices(list(SHARES), list(SHARES.values()))[0]
        victim = self._draw.choice(self.paper.workers(self._draw.choice(WORKERS)))
        seconds = self._draw.uniform(LEAST_S, self.longest_s)
        now = time.monotonic()
        if fault == ALL:
            return self._note(fault, self._kill_all(), now, time.monotonic() - now)
        if fault == KILL:
            victim.strike(signal.SIGKILL)
        elif fault == TERM:
            victim.strike(signal.SIGTERM)
        elif fault == STOP:
            seconds = self._draw.uniform(LEAST_S, FREEZE * self.longest_s)
            victim.freeze()
            self._later(seconds, victim.go_on)
        elif fault == BROKER:
            victim = self.paper.broker
            victim.strike(signal.SIGKILL)
        elif fault == MODEL:
            victim = self.paper.model_server
            victim.strike(signal.SIGKILL)
        elif fault == ADDED:
            victim = self._resize(+1)
        elif fault == REMOVED:
            victim = self._resize(-1)
        elif fault == DATABASE:
            self.paper.database.start()
            self.paper.database.crash()
            self._later(seconds, self.paper.database.start)
            return self._note(fault, "postgres", now, seconds)
        elif fault == DISK:
            self.paper.disk.fill()
            self._later(seconds, self.paper.disk.free)
            return self._note(fault, "broker", now, seconds)
        return self._note(fault, victim.name, now, seconds)

    @property
    def lasting(self) -> bool:
        """Is there harm that has not been undone yet?"""
        return bool(self._due)

    def undo(self, *, everything: bool = False) -> None:
        """End what has lasted long enough; call it often."""
        now = math.inf if everything else time.monotonic()
        due = [action for when, action in self._due if when <= now]
        self._due = [(when, action) for when, action in self._due if when > now]
        for action in due:
            action()

    def _note(self, fault: str, victim: str, began: float, seconds: float) -> Struck:
        self.struck.append(Struck(fault, victim, began, began + seconds))
        return self.struck[-1]

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._due.append((time.monotonic() + seconds, action))

    def _kill_all(self) -> str:
        """Every process of one worker at once, in the middle of its work. Which worker, and how much they held."""
        name = self._whole.pop(0)
        self._whole.append(name)
        self.undo(everything=True)  # a frozen process may hold the very lock that we are about to wait for
        with self._slowed(name):
            held = self._wait_for_full_hands(name)
            for program in self.paper.workers(name):
                program.strike(signal.SIGKILL)
        self.in_hand[name] = max(held, self.in_hand.get(name, 0))
        return f"{name}, {held} in hand"

    @contextmanager
    def _slowed(self, name: str) -> Iterator[None]:
        """What it is at takes longer than it needs to commit."""
        if name == "generator":
            self.paper.model_server.freeze()
            try:
                yield
            finally:
                self.paper.model_server.go_on()
        elif name == "archivist":
            self.paper.database.start()
            with self.paper.database.locked():
                yield
        else:
            yield

    def _wait_for_full_hands(self, name: str) -> int:
        began = full_since = time.monotonic()
        while True:
            self.undo()
            held, now = self.paper.in_hand(name), time.monotonic()
            if held < FULL:
                full_since = now
            if (held >= FULL and now - full_since >= HELD_S[name]) or now - began >= HANDS_S:
                return held
            time.sleep(0.2)

    def _resize(self, step: int) -> Program:
        """One process more or less of some worker, within bounds."""
        name = self._draw.choice(WORKERS)
        count = len(self.paper.workers(name))
        if not LEAST <= count + step <= MOST:  # the other way round first, so that what was asked for happens
            while len(self.paper.workers(name)) != USUAL:
                self._one(name, -step)
        return self._one(name, step)

    def _one(self, name: str, step: int) -> Program:
        if step > 0:
            return self.paper.add_worker(name)
        victim = self._draw.choice(self.paper.workers(name))
        self.paper.supervisor.remove(victim)
        return victim
