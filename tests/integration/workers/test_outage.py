"""The broker goes away, whenever and for however long: no worker ends because of that, unless it has something to send,
and nothing is lost.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.kafka import create_topics, lag, make_producer, read_whole, send_acked
from infra.settings import Settings
from schemas.envelope import encode
from schemas.topics import ARTICLES, PUBLISHED, TITLES, Topic
from tests.chaos.processes import Program, Supervisor
from tests.ground import Broker, environment_for, wait_until
from tests.samples import NOW, make_article
from workers.ending import EX_SOFTWARE
from workers.sending import SEND_TIMEOUT_S

PATIENCE_S = 90
AWAY_S = SEND_TIMEOUT_S + 6
pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def settings(own_broker: Broker, tmp_path: Path) -> Settings:
    own_broker.start()
    settings = Settings(home=tmp_path / "home", kafka_port=own_broker.settings.kafka_port)
    settings.home.mkdir()
    create_topics(settings)
    return settings


@pytest.fixture
def workers(settings: Settings) -> Iterator[Supervisor]:
    """Starts again what ends; nothing of it is left afterwards."""
    supervisor = Supervisor()
    yield supervisor
    supervisor.kill()


def start(workers: Supervisor, settings: Settings, topic: Topic) -> Program:
    environment = environment_for(settings) | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(Path(__file__).with_name("late_worker.py")), topic.name]
    return workers.add(Program(topic.name, command, environment, settings.home))


def publish(settings: Settings, numbers: range) -> set[bytes]:
    messages = [encode(make_article(number), source="test", time=NOW) for number in numbers]
    producer = make_producer(settings, "test")
    send_acked(producer, [(ARTICLES, message) for message in messages])
    producer.close()
    return {message.key for message in messages}


def published(settings: Settings) -> set[bytes]:
    return {record.key or b"" for record in read_whole(settings, PUBLISHED.name)}


def settled(settings: Settings) -> bool:
    return lag(settings, "copydesk.late-articles", [ARTICLES]) == 0


def test_a_worker_waits_for_a_broker_that_vanishes_while_it_starts(
    own_broker: Broker, settings: Settings, workers: Supervisor
) -> None:
    keys = publish(settings, range(20))
    worker = start(workers, settings, ARTICLES)
    wait_until((settings.home / "loading").exists, PATIENCE_S)
    own_broker.kill()
    (settings.home / "loaded").touch()
    wait_until(lambda: "which was there a moment ago" in worker.log.read_text(), PATIENCE_S)
    own_broker.start()
    wait_until(lambda: published(settings) == keys, PATIENCE_S)
    wait_until(lambda: settled(settings), PATIENCE_S)
    workers.stop([worker])
    assert [end.status for end in workers.exits] == [os.EX_OK], "it ended only when it was told to"


def test_an_outage_longer_than_a_send_may_take_loses_nothing_and_all_go_on_by_themselves(
    own_broker: Broker, settings: Settings, workers: Supervisor
) -> None:
    (settings.home / "loaded").touch()
    start(workers, settings, ARTICLES)
    idle = start(workers, settings, TITLES)
    keys = publish(settings, range(3000))
    wait_until(lambda: len(published(settings)) > 0, PATIENCE_S)
    own_broker.kill()
    again_at = time.monotonic() + AWAY_S
    while time.monotonic() < again_at:
        workers.tend()
        time.sleep(0.2)
    own_broker.start()
    keys |= publish(settings, range(3000, 3100))

    def all_out() -> bool:
        workers.tend()
        return published(settings) == keys and settled(settings)

    wait_until(all_out, PATIENCE_S, every_s=0.5)
    assert {(end.name, end.status) for end in workers.exits} <= {(ARTICLES.name, EX_SOFTWARE)}
    assert all("NotAcknowledged" in end.last_words for end in workers.exits)
    workers.stop([idle])
    assert workers.exits[-1].status == os.EX_OK, "with nothing to send it waited for all that time"
