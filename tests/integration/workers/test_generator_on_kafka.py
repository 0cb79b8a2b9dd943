"""The generator as a process, on a real broker and a model server that is restarted, swapped and switched off."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from infra.kafka import lag, make_producer, read_whole, send_acked
from infra.settings import LOOPBACK, Settings
from schemas.envelope import Message, decode, encode
from schemas.events import Event, Title
from schemas.topics import ADAPTERS, ARTICLES, TITLES, Topic
from tests.ground import environment_for, free_ports, wait_until
from tests.samples import NOW, make_adapter, make_article

PATIENCE_S = 180


class Replies(BaseHTTPRequestHandler):
    """vLLM's protocol over a set of names; a title is the name of the model that wrote it."""

    names: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        cards = [{"id": name, "object": "model", "created": 1, "owned_by": "x"} for name in sorted(self.names)]
        self._reply(200, {"object": "list", "data": cards})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        action = self.path.rsplit("/", 1)[1]
        if action == "load_lora_adapter":
            self.names.add(body["lora_name"])
            return self._reply(200, {})
        if action == "unload_lora_adapter":
            self.names.discard(body["lora_name"])
            return self._reply(200, {})
        if body["model"] not in self.names:
            return self._reply(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": body["model"]}}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "usage": usage}
        return self._reply(200, answer | {"choices": [choice]})

    def _reply(self, status: int, body: dict[str, object]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class ModelServer:
    """Can be switched off and on; like the real one it forgets its adapters over that."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._server: ThreadingHTTPServer | None = None

    def on(self) -> None:
        Replies.names = {"base"}
        self._server = ThreadingHTTPServer((LOOPBACK, self.port), Replies)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def off(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


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
