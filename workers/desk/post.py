"""The desk's way to the broker, opened with the first verdict: the desk can be read while the broker is away."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from kafka import KafkaProducer

from infra.kafka import make_producer, send_acked
from infra.settings import Settings
from schemas.envelope import Message
from schemas.errors import Transient
from schemas.topics import Topic

OPENING_S = 5.0
PATIENCE_S = 20.0
"""Longer than a broker's quick restart, shorter than a curator's patience."""


class Post:
    """Thread-safe; a `Send` for the desk."""

    def __init__(self, settings: Settings, *, patience_s: float = PATIENCE_S) -> None:
        self._settings = settings
        self._patience_s = patience_s
        self._lock = Lock()
        self._producer: KafkaProducer | None = None

    def __call__(self, pairs: Sequence[tuple[Topic, Message]]) -> None:
        """Send all and wait for the acknowledgements. Raises `Transient`."""
        producer = self._open()
        try:
            send_acked(producer, pairs, timeout_s=self._patience_s)
        except Transient:
            self.close(timeout_s=0)  # what lies in its buffer must not go out minutes later, when minds have changed
            raise

    def close(self, timeout_s: float = 5) -> None:
        """Let go of the broker; the next verdict opens the way again."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=timeout_s)

    def _open(self) -> KafkaProducer:
        with self._lock:
            if self._producer is None:
                self._producer = make_producer(self._settings, "copydesk-desk", timeout_s=OPENING_S)
            return self._producer
