"""What every competitor is told and what each does with an article: the same work, so that only the stream differs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from schemas.envelope import Message, decode, encode
from schemas.events import Article, Title


@dataclass(frozen=True)
class Job:
    """One worker process's orders, handed over as JSON on its command line."""

    bootstrap: str
    home: str
    """Data folder of the embedded broker's settings; also where a framework may keep files of its own."""
    source: str
    sink: str
    group: str
    partitions: int
    in_flight: int
    call_s: float
    """How long the fake model call takes; 0: there is none."""

    @staticmethod
    def from_command_line() -> Job:
        return Job(**json.loads(sys.argv[1]))

    def to_argument(self) -> str:
        return json.dumps(asdict(self))


def open_article(value: bytes | None, headers: list[tuple[str, bytes]]) -> Article:
    """Decode and validate, as Copydesk's window does before it calls a handler."""
    event = decode(value, headers).event
    assert isinstance(event, Article)
    return event


def title_over(article: Article) -> Title:
    """What the fake model answers."""
    return Title(
        title_id=Title.make_id(article.article_id, article.revision, "v1", "v3"),
        article=article,
        text=article.headline,
        raw=article.headline,
        model_version="v1",
        base_model="base",
        adapter_digest="0" * 64,
        prompt_version="v3",
        shots=0,
        attempts=1,
        input_tokens=100,
        output_tokens=10,
        latency_seconds=0.02,
        cost_usd=0.0,
    )


def close_title(title: Title) -> Message:
    """Encode, as Copydesk's outlet does."""
    return encode(title, source="bench", time=datetime.now(UTC))


def answer(value: bytes | None, headers: list[tuple[str, bytes]]) -> Message:
    """Article in, title out: for those that have nothing to wait for in between."""
    return close_title(title_over(open_article(value, headers)))
