"""Handlers that fail in every way there is, while processes are killed: nothing is lost, and a naive worker loses here.

Killing processes alone does not tell safe from unsafe: a worker that acknowledges too early survives it as a rule. This
is the small sister of `test_newspaper`: one worker of our own making, and failures inside of it.
"""

from __future__ import annotations

import os
import random
import signal
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
from tests.chaos.processes import Exit, Program, Supervisor
from tests.ground import Broker, environment_for
from tests.samples import NOW, make_article
from workers.ending import EX_SOFTWARE

SEED = int(os.environ.get("CHAOS_SEED", "1"))
EVENTS = 1000
GROUP = "copydesk.chaos"
POISON_EVERY = 100
WORKERS = 2
WINDOW = 16
DEADLINE_S = 400.0
FAULTS = ("kill", "term", "broker", "stop", "kill", "term")
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(2 * DEADLINE_S)]
PROGRAM = Path(__file__).with_name("failing_worker.py")
POISONED = {make_article(number).key for number in range(0, EVENTS, POISON_EVERY)}


@dataclass
class Outcome:
    """What went in, what came out, and how the processes ended."""

    sent: set[str]
    titled: Counter[str] = field(default_factory=Counter)
    buried: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)
    exits: list[Exit] = field(default_factory=list)

    @property
    def missing(self) -> set[str]:
        return self.sent - set(self.titled) - self.buried

    def __str__(self) -> str:
        twice = sum(self.titled.values()) - len(self.titled)
        statuses = dict(Counter(end.status for end in self.exits))
        return (
            f"seed {SEED}: {len(self.sent)} in, {len(self.titled)} titled, {len(self.buried)} dead letters,"
            f" {twice} twice, {len(self.missing)} missing; faults {dict(self.faults)}; exits {statuses}"
        )


def start_pack(settings: Settings, folder: Path, *, safe: bool) -> Supervisor:
    """The worker processes."""
    pack = Supervisor()
    environment = environment_for(settings) | {
        "SAFE": "yes" if safe else "no",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    for number in range(WORKERS):
        command = [sys.executable, str(PROGRAM), f"{SEED}.{number}.{{start}}"]
        pack.add(Program(f"worker-{number}", command, environment, folder))
    return pack


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


def strike(fault: str, pack: Supervisor, broker: Broker, draw: random.Random) -> None:
    """Do harm."""
    victim = draw.choice(pack.programs)
    match fault:
        case "kill":
            victim.strike(signal.SIGKILL)
        case "term":
            victim.strike(signal.SIGTERM)
        case "stop":
            victim.freeze()
            time.sleep(6)  # the harm itself: long enough for others to wait, short of the session's end
            victim.go_on()
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
    pack = start_pack(settings, folder, safe=safe)
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
        pack.stop(pack.programs)
    finally:
        pack.kill()
    outcome.exits = pack.exits
    for record in read_whole(settings, TITLES.name):
        if safe:
            assert isinstance(decode(record.value, record.headers).event, Title)
        outcome.titled[(record.key or b"").decode()] += 1
    outcome.buried = {(record.key or b"").decode() for record in read_whole(settings, ARTICLES.dead_letters)}
    print(outcome)
    return outcome


def is_explained(end: Exit) -> bool:
    """By a signal of ours, or by a defect: the injected one, or a send that the killed broker never acknowledged."""
    if end.struck is not None:
        return end.status in (0, -end.struck)
    words = ("RuntimeError: a defect", "KafkaTimeoutError", "KafkaConnectionError", "NodeNotReadyError", "TimeoutError")
    return end.status == EX_SOFTWARE and any(word in end.last_words for word in words)


def test_everything_that_comes_in_comes_out_whatever_is_killed(own_broker: Broker, tmp_path: Path) -> None:
    outcome = survive(own_broker, tmp_path, safe=True, faults=FAULTS)
    assert outcome.missing == set(), str(outcome)
    assert outcome.buried >= POISONED, str(outcome)
    unexplained = [f"status {end.status}: {end.last_words}" for end in outcome.exits if not is_explained(end)]
    assert not unexplained, "\n".join(unexplained)
    assert outcome.faults == Counter(FAULTS), str(outcome)


def test_a_naive_worker_loses_messages_even_if_nothing_is_killed(own_broker: Broker, tmp_path: Path) -> None:
    outcome = survive(own_broker, tmp_path, safe=False, faults=())
    assert outcome.missing - POISONED, f"the conditions are too kind to tell safe from unsafe: {outcome}"
