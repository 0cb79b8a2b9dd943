"""A hosted model as nobody wants it: OpenAI's chat and Batch API with a bill, and every trouble that its users report.

A title is made of the article's first words. What goes wrong is drawn from a seed, or switched on by the test.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar

from infra.settings import LOOPBACK

MODEL = "grand-teacher"
INPUT_USD, OUTPUT_USD = Decimal("2"), Decimal("10")
"""Per million tokens."""
BATCH_SHARE = Decimal("0.5")
_WORDS = re.compile(r"\w+")


@dataclass
class Moods:
    """How the server misbehaves. Shares are of requests; `untaken` are parameters that it refuses."""

    busy: float = 0.0
    broken: float = 0.0
    """500 after the work was done: it is billed."""
    hang_up: float = 0.0
    """The connection is cut after the work was done: it is billed."""
    garbled: float = 0.0
    """200 with half a JSON document; billed."""
    untaken: tuple[str, ...] = ()
    refuses: str = ""
    """Articles with this word are against its policy."""
    no_credit: bool = False
    retry_after: str = "0.05"
    answer_s: float = 0.0
    batch_s: float = 0.2
    expire: int = 0
    """So many of the next batches expire half done."""
    fail_lines: float = 0.0
    """Share of the lines of a batch that end with 500."""
    wrong_lines: int = 0
    """So many of the next lines of output files are no JSON."""
    largest_batch: int = 50_000
    """A larger one fails for its enqueued tokens."""
    counts: bool = True
    """False: answers come without usage."""
    shutdown_date: str = ""


@dataclass
class Books:
    """What the server has done and billed; its own word against the client's."""

    answered: Counter[str] = field(default_factory=Counter)
    """How often each prompt was answered and billed."""
    bill: Decimal = Decimal(0)
    requests: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0


class Replies(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    house: ClassVar[HostedTeacher]

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        house = self.house
        if path == "/v1/models":
            card = {"id": MODEL, "object": "model", "created": 1, "owned_by": "x"}
            if house.moods.shutdown_date:
                card["shutdown_date"] = house.moods.shutdown_date
            return self._json(200, {"object": "list", "data": [card, {**card, "id": "small-teacher"}]})
        if path == "/v1/batches":
            after = re.search(r"after=([\w-]+)", query)
            return self._json(200, house.list_batches(after[1] if after else ""))
        if found := re.fullmatch(r"/v1/batches/([\w-]+)", path):
            return self._json(200, house.batch(found[1]))
        if found := re.fullmatch(r"/v1/files/([\w-]+)/content", path):
            return self._raw(200, house.files[found[1]], "application/octet-stream")
        return self._fault(404, "no such place")

    def do_POST(self) -> None:
        house = self.house
        raw = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("authorization") != "Bearer right-key":
            return self._fault(401, "Incorrect API key provided")
        with house.lock:
            house.books.requests += 1
            house.at_once += 1
            house.books.most_at_once = max(house.books.most_at_once, house.at_once)
        try:
            match self.path:
                case "/v1/chat/completions":
                    self._chat(json.loads(raw))
                case "/v1/files":
                    self._json(200, house.keep(_uploaded(raw)))
                case "/v1/batches":
                    self._json(200, house.begin(json.loads(raw)))
                case _:
                    self._fault(404, "no such place")
        finally:
            with house.lock:
                house.at_once -= 1

    def _chat(self, body: dict[str, Any]) -> None:
        house, moods = self.house, self.house.moods
        if moods.no_credit:
            return self._fault(429, "You exceeded your current quota", code="insufficient_quota")
        if house.drawn(moods.busy):
            return self._fault(429, "Rate limit reached", retry_after=moods.retry_after)
        status, answer = house.answer(body, batch=False)
        if status != 200:
            return self._json(status, answer)
        time.sleep(moods.answer_s)
        if house.drawn(moods.broken):
            return self._fault(500, "The server had an error")
        if house.drawn(moods.hang_up):
            self.close_connection = True
            return None
        if house.drawn(moods.garbled):
            return self._raw(200, json.dumps(answer).encode()[:80], "application/json")
        return self._json(200, answer)

    def _fault(self, status: int, words: str, *, code: str | None = None, retry_after: str = "") -> None:
        self._json(status, _fault(words, code=code), retry_after)

    def _json(self, status: int, body: dict[str, Any], retry_after: str = "") -> None:
        self._raw(status, json.dumps(body).encode(), "application/json", retry_after)

    def _raw(self, status: int, raw: bytes, kind: str, retry_after: str = "") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(raw)))
        if retry_after:
            self.send_header("retry-after", retry_after)
        self.end_headers()
        self.wfile.write(raw)

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            """The client was killed."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class HostedTeacher:
    """The server and its books. `with HostedTeacher(port, moods) as house: …`."""

    def __init__(self, port: int, moods: Moods | None = None, seed: int = 1) -> None:
        self.address = f"http://{LOOPBACK}:{port}/v1"
        self.moods = moods or Moods()
        self.books = Books()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.lock = threading.RLock()
        self.at_once = 0
        self._random = random.Random(seed)
        handler = type("RepliesOfOne", (Replies,), {"house": self})
        self._server = ThreadingHTTPServer((LOOPBACK, port), handler)
        self._server.daemon_threads = True

    def __enter__(self) -> HostedTeacher:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def drawn(self, share: float) -> bool:
        """Whether it happens this time."""
        with self.lock:
            return self._random.random() < share

    def answer(self, body: dict[str, Any], *, batch: bool) -> tuple[int, dict[str, Any]]:
        """Status and body for one request; a title is billed."""
        for name in self.moods.untaken:
            if name in body:
                return 400, _fault(
                    f"Unsupported parameter: '{name}' is not supported with this model.",
                    code="unsupported_parameter",
                    param=name,
                )
        if body["model"] != MODEL:
            return 404, _fault(f"The model `{body['model']}` does not exist", code="model_not_found")
        prompt = body["messages"][0]["content"]
        if self.moods.refuses and self.moods.refuses in prompt:
            return 400, _fault("Invalid prompt: your prompt was flagged", code="invalid_prompt")
        title = " ".join(_WORDS.findall(prompt.partition("Article:")[2])[:6])[:60]
        tokens = (len(prompt.encode()) // 4, max(1, len(title) // 4))
        usd = (tokens[0] * INPUT_USD + tokens[1] * OUTPUT_USD) / 1_000_000 * (BATCH_SHARE if batch else 1)
        with self.lock:
            self.books.answered[prompt] += 1
            self.books.bill += usd
            self.books.bodies.append({key: value for key, value in body.items() if key != "messages"})
        answer: dict[str, Any] = {
            "id": f"chatcmpl-{len(self.books.bodies)}",
            "object": "chat.completion",
            "created": 1,
            "model": f"{MODEL}-2026-09-01",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": title}}],
        }
        if self.moods.counts:
            answer["usage"] = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
        return 200, answer

    def keep(self, content: bytes) -> dict[str, Any]:
        """A file of this content."""
        with self.lock:
            name = f"file-{len(self.files)}"
            self.files[name] = content
        return {
            "id": name,
            "object": "file",
            "bytes": len(content),
            "created_at": 1,
            "filename": name,
            "purpose": "batch",
        }

    def begin(self, body: dict[str, Any]) -> dict[str, Any]:
        """A new batch; its work is done at once, its result comes after `batch_s`."""
        lines = [json.loads(line) for line in self.files[body["input_file_id"]].decode().split("\n") if line]
        assert len({line["custom_id"] for line in lines}) == len(lines), (
            "the API refuses a custom_id that is there twice"
        )
        with self.lock:
            name = f"batch_{len(self.batches)}"
            batch: dict[str, Any] = {
                "id": name,
                "object": "batch",
                "endpoint": body["endpoint"],
                "input_file_id": body["input_file_id"],
                "completion_window": "24h",
                "created_at": int(time.time()),
                "metadata": body.get("metadata"),
                "status": "in_progress",
                "ready_at": time.monotonic() + self.moods.batch_s,
            }
            self.batches[name] = batch
        if len(lines) > self.moods.largest_batch:
            fault = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached for this model"}
            batch |= {"ready_at": 0, "final": "failed", "errors": {"object": "list", "data": [fault]}}
            return self.batch(name)
        with self.lock:
            half_done = self.moods.expire > 0
            self.moods.expire -= half_done
        done = lines[: len(lines) // 2] if half_done else lines
        good: list[str] = []
        bad: list[str] = []
        for line in done:
            if self.drawn(self.moods.fail_lines):
                status, answer = 500, _fault("The server had an error")
            else:
                status, answer = self.answer(line["body"], batch=True)
            row = {"id": "x", "custom_id": line["custom_id"], "error": None}
            (good if status == 200 else bad).append(
                json.dumps(row | {"response": {"status_code": status, "body": answer}})
            )
        for line in lines[len(done) :]:
            error = {"code": "batch_expired", "message": "This request could not be executed before it expired."}
            bad.append(json.dumps({"id": "x", "custom_id": line["custom_id"], "response": None, "error": error}))
        wrong = min(self.moods.wrong_lines, len(good))
        self.moods.wrong_lines -= wrong
        for number in range(wrong):
            good[number] = good[number][: len(good[number]) // 2]
        batch["final"] = "expired" if half_done else "completed"
        batch["counts"] = {"total": len(lines), "completed": len(good), "failed": len(bad)}
        random.Random(len(self.batches)).shuffle(good)
        batch["output"], batch["error"] = (
            self.keep("\n".join(part).encode())["id"] if part else None for part in (good, bad)
        )
        return self.batch(name)

    def batch(self, name: str) -> dict[str, Any]:
        """The batch as it stands now."""
        batch = self.batches[name]
        shown = {key: batch[key] for key in batch if key not in ("ready_at", "final", "output", "error", "counts")}
        if "final" not in batch or time.monotonic() < batch["ready_at"]:
            return shown
        over = {"status": batch["final"], "output_file_id": batch.get("output"), "error_file_id": batch.get("error")}
        return shown | over | ({"request_counts": batch["counts"]} if "counts" in batch else {})

    def list_batches(self, after: str) -> dict[str, Any]:
        """Newest first, two at a time."""
        names = list(self.batches)[::-1]
        start = names.index(after) + 1 if after else 0
        shown = names[start : start + 2]
        more = start + 2 < len(names)
        return {"object": "list", "data": [self.batch(name) for name in shown], "has_more": more}


def _uploaded(raw: bytes) -> bytes:
    """The file in a form with one file and short fields."""
    boundary = raw.split(b"\r\n", 1)[0]
    parts = [part for part in raw.split(boundary) if b'name="file"' in part]
    return parts[0].split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n", 1)[0]


def _fault(words: str, *, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": words, "type": "invalid_request_error", "param": param, "code": code}}
