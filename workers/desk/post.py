"""The desk's way to the broker, opened with the first verdict: the desk can be read while the broker is away."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from kafka import KafkaProducer

from infra.kafka import make_producer, send_acked
from infra.settings import Settings
from schemas.envelope import Message
from schemas.topics import Topic

PATIENCE_S = 20.0
"""Longer than the broker's restart takes to notice, shorter than a curator's patience."""


class Post:
    """Thread-safe; a `Send` for the desk."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._producer: KafkaProducer | None = None

    def __call__(self, pairs: Sequence[tuple[Topic, Message]]) -> None:
        """Send all and wait for the acknowledgements. Raises `Transient`."""
        send_acked(self._open(), pairs, timeout_s=PATIENCE_S)

    def close(self) -> None:
        """Let go of the broker."""
        with self._lock:
            if self._producer is not None:
                self._producer.close(timeout=5)
                self._producer = None

    def _open(self) -> KafkaProducer:
        with self._lock:
            if self._producer is None:
                self._producer = make_producer(self._settings, "copydesk-desk")
            return self._producer
