"""The golden messages: `examples/<topic>/v<n>/<name>.json`, one whole message each as it stands on the topic.

They are kept for ever: every later version of the code must still read every one of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from schemas.topics import Topic

EXAMPLES = Path(__file__).parent / "examples"


class Golden(BaseModel):
    """A message with its value as JSON and its headers as text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    shows: str
    """What is special about it, in words."""
    key: str
    headers: dict[str, str]
    value: dict[str, JsonValue]

    @property
    def wire_value(self) -> bytes:
        """The value as bytes."""
        return json.dumps(self.value, ensure_ascii=False).encode()

    @property
    def wire_headers(self) -> tuple[tuple[str, bytes], ...]:
        """The headers as every client takes them."""
        return tuple((name, text.encode()) for name, text in self.headers.items())


def messages(topic: Topic) -> Iterator[Golden]:
    """The topic's golden messages, all versions, by version and name."""
    for path in sorted((EXAMPLES / topic.name).glob("v*/*.json")):
        yield Golden.model_validate({"name": path.stem, **json.loads(path.read_text(encoding="utf-8"))})
