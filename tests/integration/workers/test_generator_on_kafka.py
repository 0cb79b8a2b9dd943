"""The generator as a process, on a real broker and a model server that is restarted, swapped and switched off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from infra.kafka import lag, make_producer, read_whole, send_acked
from infra.settings import LOOPBACK, Settings
from schemas.envelope import Message, decode, encode
from schemas.events import Event, Title
from schemas.topics import ADAPTERS, ARTICLES, TITLES, Topic
from tests.ground import environment_for, free_ports, wait_until
from tests.model_server import ModelServer, Replies
from tests.samples import NOW, make_adapter, make_article

PATIENCE_S = 180


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    server = ModelServer(free_ports())
    yield server
    server.off()


@pytest.fixture
def send(settings: Settings) -> Iterator[Callable[[Topic, list[Event]], None]]:
    producer = make_producer(settings, "test")

    def send_events(topic: Topic, events: list[Event]) -> None:
        messages: list[Message] = [encode(event, source="test", time=NOW) for event in events]
        send_acked(producer, [(topic, message) for message in messages])

    yield send_events
    producer.close()


@pytest.fixture
def generator(settings: Settings, model_server: ModelServer) -> Iterator[subprocess.Popen[bytes]]:
    address = f"http://{LOOPBACK}:{model_server.port}/v1"
    environment = environment_for(settings) | {"COPYDESK_MODEL_SERVER_URL": address}
    process = subprocess.Popen([sys.executable, "-m", "copydesk", "worker", "generator"], env=environment)
    yield process
    process.kill()
    process.wait()


def titles(settings: Settings) -> list[Title]:
    events = [decode(record.value, record.headers).event for record in read_whole(settings, TITLES.name)]
    return [event for event in events if isinstance(event, Title)]


def settled(settings: Settings) -> bool:
    return lag(settings, "copydesk.generator", [ARTICLES]) == 0


@pytest.mark.timeout(900)
def test_no_title_is_lost_or_buried_while_the_model_server_comes_goes_and_changes(
    settings: Settings,
    model_server: ModelServer,
    generator: subprocess.Popen[bytes],
    send: Callable[[Topic, list[Event]], None],
) -> None:
    # no adapter and no server: everything waits
    send(ARTICLES, [make_article(number) for number in range(5)])
    send(ADAPTERS, [make_adapter(1)])
    model_server.on()
    wait_until(lambda: len(titles(settings)) == 5, PATIENCE_S, every_s=0.5)
    assert {title.text for title in titles(settings)} == {"v1"}

    # the next version takes over
    send(ADAPTERS, [make_adapter(2)])
    wait_until(lambda: "v2" in Replies.names, PATIENCE_S)
    fresh: list[Event] = [make_article(number) for number in range(5, 10)]
    send(ARTICLES, fresh)
    wait_until(lambda: len(titles(settings)) == 10, PATIENCE_S, every_s=0.5)
    assert {title.attempts for title in titles(settings) if title.article in fresh} == {1}

    # the server dies and comes back without its adapters
    model_server.off()
    send(ARTICLES, [make_article(number) for number in range(10, 15)])
    model_server.on()
    wait_until(lambda: settled(settings), PATIENCE_S, every_s=0.5)
    written = {title.article.article_id: title.text for title in titles(settings)}
    assert set(written) == {make_article(number).article_id for number in range(15)}
    assert {written[make_article(number).article_id] for number in range(10, 15)} == {"v2"}
    assert list(read_whole(settings, ARTICLES.dead_letters)) == []
    generator.terminate()
    assert generator.wait(60) == 0
