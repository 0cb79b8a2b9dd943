"""A model server as bad as they come; run as a process by the chaos tests. Simulated: no model is in it.

It speaks OpenAI's protocol and vLLM's way to load adapters, forgets its adapters when it is restarted, is slow, fails
one request in twenty, hangs, and answers nonsense. A title is nearly the first sentence of the article; one article in
eight gets a title that the flagger must not let through. The same article gets the same title every time.

    python -m tests.chaos.model_server PORT SEED
"""

from __future__ import annotations

import json
import random
import socket
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from infra.settings import LOOPBACK

FAILING, NONSENSE, HANGING = 0.05, 0.02, 0.003
HANG_S = 20.0
"""Far longer than the generator waits."""
SLOW_S = (0.02, 0.4)
STATUSES = (429, 500, 500, 502, 503)
RUBBISH = (b"<html>It works!</html>", b"{}", b'{"choices": []}', b'{"choices": [{"message": {"content": 7}}]}', b"")


class Answers(BaseHTTPRequestHandler):
    """One connection; a client keeps it open over many requests."""

    protocol_version = "HTTP/1.1"
    adapters: ClassVar[set[str]] = set()
    draw: ClassVar[random.Random]
    lock: ClassVar = threading.Lock()

    def do_GET(self) -> None:
        cards = [{"id": name, "object": "model", "created": 1, "owned_by": "chaos"} for name in sorted(self.adapters)]
        self._answer(200, {"object": "list", "data": cards})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        match self.path.rsplit("/", 1)[1]:
            case "load_lora_adapter":
                self.adapters.add(body["lora_name"])
                self._answer(200, {})
            case "unload_lora_adapter":
                self.adapters.discard(body["lora_name"])
                self._answer(200, {})
            case _:
                self._complete(body["model"], body["messages"][-1]["content"])

    def _complete(self, model: str, prompt: str) -> None:
        with self.lock:
            luck, seconds = self.draw.random(), self.draw.uniform(*SLOW_S)
            status, rubbish = self.draw.choice(STATUSES), self.draw.choice(RUBBISH)
        if model not in self.adapters:
            return self._answer(404, {"error": {"message": f"The model `{model}` does not exist."}})
        time.sleep(HANG_S if luck < HANGING else seconds)
        if luck < HANGING + FAILING:
            return self._answer(status, {"error": {"message": "a bad day"}})
        if luck < HANGING + FAILING + NONSENSE:
            return self._send(200, rubbish)
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": title(prompt)},
        }
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": 12, "total_tokens": len(prompt) // 4 + 12}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": model, "usage": usage}
        return self._answer(200, answer | {"choices": [choice]})

    def _answer(self, status: int, body: dict[str, object]) -> None:
        self._send(status, json.dumps(body).encode())

    def _send(self, status: int, raw: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Many clients at once; those that go away are no news."""

    request_queue_size = 256
    daemon_threads = True

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed."""


def title(prompt: str) -> str:
    """The title for the article in a prompt of version 3."""
    article = prompt.split("\n\n", 1)[1]
    first = article.split(".", 1)[0].split(" ", 1)[1]  # without its first word: a mere copy would be flagged
    return f"{first}: 987654 tickets" if zlib.crc32(article.encode()) % 8 == 0 else first


if __name__ == "__main__":
    Answers.draw = random.Random(f"model server {sys.argv[2]}")
    Server((LOOPBACK, int(sys.argv[1])), Answers).serve_forever()
