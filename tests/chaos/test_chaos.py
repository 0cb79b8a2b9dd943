"""Everything that comes in comes out, whatever is killed meanwhile; and a naive worker does lose messages here.

`make test` runs it short, `make chaos SEED=7 EVENTS=10000` as long as you like; a seed draws the same victims again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.kafka import create_topics, lag, make_producer, read_whole, send_acked
from infra.settings import Settings
from schemas.envelope import Message, decode, encode
from schemas.errors import Transient
from schemas.events import Title
from schemas.topics import ARTICLES, TITLES
from tests.ground import Broker, environment_for
from tests.samples import NOW, make_article

SEED = int(os.environ.get("CHAOS_SEED", "1"))
EVENTS = int(os.environ.get("CHAOS_EVENTS", "1000"))
GROUP = "copydesk.chaos"
POISON_EVERY = 100
WORKERS = 2
WINDOW = 16
DEADLINE_S = 300.0 + EVENTS / 10
FAULTS = ("kill", "term", "broker", "stop", "kill", "term") * max(1, EVENTS // 2000)
pytestmark = pytest.mark.chaos
PROGRAM = Path(__file__).with_name("failing_worker.py")


@dataclass
class Outcome:
    """What went in, what came out, and how the processes ended."""

    sent: set[str]
    titled: Counter[str] = field(default_factory=Counter)
    buried: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)
    exits: Counter[int] = field(default_factory=Counter)

    @property
    def missing(self) -> set[str]:
        return self.sent - set(self.titled) - self.buried

    def __str__(self) -> str:
        twice = sum(self.titled.values()) - len(self.titled)
        return (
            f"seed {SEED}: {len(self.sent)} in, {len(self.titled)} titled, {len(self.buried)} dead letters,"
            f" {twice} twice, {len(self.missing)} missing; faults {dict(self.faults)}; exits {dict(self.exits)}"
        )


class Pack:
    """Worker processes that are started again when they end, as a supervisor does."""

    def __init__(self, settings: Settings, folder: Path, *, safe: bool) -> None:
        self.environment = environment_for(settings) | {
            "SAFE": "yes" if safe else "no",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self.folder = folder
        self.starts = 0
        self.exits: Counter[int] = Counter()
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, count: int) -> None:
        for _ in range(count):
            self.starts += 1
            with (self.folder / f"worker-{self.starts}.log").open("wb") as log:
                self.processes.append(
                    subprocess.Popen(
                        [sys.executable, str(PROGRAM)],
                        env=self.environment | {"SEED": f"{SEED}.{self.starts}"},
                        stdout=log,
                        stderr=log,
                    )
                )

    def tend(self) -> None:
        for process in [process for process in self.processes if process.poll() is not None]:
            self.processes.remove(process)
            self.exits[process.returncode] += 1
            self.start(1)

    def end(self, timeout_s: float = 60) -> list[int]:
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            return [process.wait(timeout_s) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()
                process.wait()


def fill(settings: Settings) -> set[str]:
    """Put articles on the topic, some of them broken; their keys."""
    pairs = []
    for number in range(EVENTS):
        message = encode(make_article(number), source="test", time=NOW)
        if number % POISON_EVERY == 0:
            message = Message(key=message.key, value=b"{broken", headers=message.headers)
        pairs.append((ARTICLES, message))
    producer = make_producer(settings, "test")
    send_acked(producer, pairs, timeout_s=120)
    producer.close()
    return {message.key.decode() for _, message in pairs}


def strike(fault: str, pack: Pack, broker: Broker, draw: random.Random) -> None:
    """Do harm."""
    victim = draw.choice(pack.processes)
    match fault:
        case "kill":
            victim.kill()
        case "term":
            victim.terminate()
        case "stop":
            victim.send_signal(signal.SIGSTOP)
            time.sleep(6)  # the harm itself: long enough for others to wait, short of the session's end
            victim.send_signal(signal.SIGCONT)
        case "broker":
            broker.kill()
            broker.start()


def waiting(settings: Settings) -> int:
    """The group's lag; a broker that is away has everything still waiting."""
    try:
        return lag(settings, GROUP, [ARTICLES])
    except Transient:
        return EVENTS


def survive(broker: Broker, folder: Path, *, safe: bool, faults: Sequence[str]) -> Outcome:
    """Let the workers run among faults until nothing waits any more, then count."""
    settings = Settings(home=folder / "home", kafka_port=broker.settings.kafka_port, max_attempts=8, window=WINDOW)
    draw = random.Random(SEED)
    broker.start()
    create_topics(settings)
    outcome = Outcome(sent=fill(settings))
    pack = Pack(settings, folder, safe=safe)
    pack.start(WORKERS)
    began = time.monotonic()
    try:
        while (left := waiting(settings)) > 0:
            assert time.monotonic() - began < DEADLINE_S, f"{left} messages still wait; {outcome}"
            pack.tend()
            struck = sum(outcome.faults.values())
            # spread over the work, not over time: a fast machine must meet every fault, too
            if struck < len(faults) and left < EVENTS * (1 - (struck + 0.5) / (len(faults) + 1)):
                outcome.faults[faults[struck]] += 1
                strike(faults[struck], pack, broker, draw)
            time.sleep(0.5)
        ends = pack.end()
    finally:
        for process in pack.processes:
            process.kill()
            process.wait()
    outcome.exits = pack.exits + Counter(ends)
    for record in read_whole(settings, TITLES.name):
        if safe:
            event = decode(record.value, record.headers).event
            assert isinstance(event, Title)
        outcome.titled[(record.key or b"").decode()] += 1
    outcome.buried = {(record.key or b"").decode() for record in read_whole(settings, ARTICLES.dead_letters)}
    print(outcome)
    return outcome


@pytest.mark.timeout(2 * DEADLINE_S)
def test_everything_that_comes_in_comes_out_whatever_is_killed(own_broker: Broker, tmp_path: Path) -> None:
    outcome = survive(own_broker, tmp_path, safe=True, faults=FAULTS)
    assert outcome.missing == set(), str(outcome)
    poisoned = {make_article(number).key for number in range(0, EVENTS, POISON_EVERY)}
    assert poisoned <= outcome.buried, str(outcome)
    # -15: told to stop before Python had come as far as the handler of signals
    assert set(outcome.exits) <= {0, 70, -signal.SIGKILL, -signal.SIGTERM}, str(outcome)
    assert outcome.faults == Counter(FAULTS), str(outcome)


@pytest.mark.timeout(2 * DEADLINE_S)
def test_a_naive_worker_loses_messages_even_if_nothing_is_killed(own_broker: Broker, tmp_path: Path) -> None:
    outcome = survive(own_broker, tmp_path, safe=False, faults=())
    lost = outcome.missing - {make_article(number).key for number in range(0, EVENTS, POISON_EVERY)}
    assert lost, f"the conditions are too kind to tell safe from unsafe: {outcome}"
