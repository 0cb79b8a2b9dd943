"""What the tests that need real services stand on: free ports, waiting with a deadline, a broker that can be killed."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from kafka import KafkaAdminClient
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError

from infra.kafka import client_config, create_topics, wait_until_ready
from infra.settings import LOOPBACK, Settings

T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], timeout_s: float = 30, *, every_s: float = 0.05) -> T:
    """The first true answer of `condition`, asked again and again. Fails after `timeout_s`, naming the last answer."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {timeout_s:.0f} s"
        time.sleep(every_s)


PORTS = range(12_000, 29_000)
"""Below our default ports and those that the system hands out: nobody's connection can sit on one of these."""
_handed_out: set[int] = set()


def free_ports(count: int = 1) -> int:
    """The first of `count` free ports in a row, none of which this process was ever given before."""
    for _ in range(100):
        first = random.randrange(PORTS.start, PORTS.stop - count)
        ports = range(first, first + count)
        if _handed_out.isdisjoint(ports) and all(_can_be_bound(port) for port in ports):
            _handed_out.update(ports)
            return first
    raise AssertionError(f"no {count} free ports in a row")


def _can_be_bound(port: int) -> bool:
    try:
        with socket.create_server((LOOPBACK, port)):
            return True
    except OSError:
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) != 0


def environment_for(settings: Settings) -> dict[str, str]:
    """The environment of a `copydesk` process that works with these settings, and with nothing of the caller's own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COPYDESK_")}
    return environment | settings.environment() | settings.secret_environment()


class Broker:
    """A real broker of its own, as `copydesk broker` runs it, with its own data folder and ports."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, kafka_port=free_ports(2), kafka_heap_mb=256)
        self.log = home / "broker.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = 180) -> None:
        """Start and wait until it answers. The first start on a machine fetches Kafka's jars."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "copydesk", "broker"]
            self.process = subprocess.Popen(command, env=environment_for(self.settings), stdout=log, stderr=log)
        wait_until(self._listens_or_ended, timeout_s)
        assert self.process.poll() is None, f"the broker ended:\n{self.log.read_text()[-3000:]}"
        wait_until_ready(self.settings, timeout_s)

    def _listens_or_ended(self) -> bool:
        assert self.process is not None
        return not _is_free(self.settings.kafka_port) or self.process.poll() is not None

    def kill(self) -> None:
        """kill -9: no flush, no goodbye."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """A clean stop; its exit status. Harmless if it does not run."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def empty(self, timeout_s: float = 60) -> None:
        """Forget all topics, groups and members, then make the registry's topics anew."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self._forget_all()
                break
            except KafkaError:  # a busy broker is still about an earlier deletion: the next round finds what is left
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
        create_topics(self.settings)

    def _forget_all(self) -> None:
        admin = KafkaAdminClient(**client_config(self.settings))
        try:
            groups = [group["group_id"] for group in admin.list_groups()]
            for group in groups:
                _remove_members(admin, group)
            if groups:
                admin.delete_groups(groups)
            topics = [name for name in admin.list_topics() if not name.startswith("__")]
            if topics:
                admin.delete_topics(topics)
        finally:
            admin.close()


def _remove_members(admin: KafkaAdminClient, group: str) -> None:
    """A member that was killed with -9 counts as present until its session ends: the next test cannot wait for that."""
    members: Sequence[dict[str, str]] = admin.describe_groups([group])[group]["members"]
    if members:
        admin.remove_group_members(group, [MemberToRemove(member_id=member["member_id"]) for member in members])
