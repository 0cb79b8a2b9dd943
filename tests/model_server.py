"""A model server of words only: vLLM's protocol over a set of names, switched on and off by the test."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from infra.settings import LOOPBACK


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
            if (Path(body["lora_path"]) / "config.json").is_file():  # a whole model
                return self._reply(404, {"error": {"message": f"No adapter found for {body['lora_path']}"}})
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
