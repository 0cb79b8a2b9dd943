"""What this desk has sent and the projection does not show yet, so that no title is handed out twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from uuid import UUID

from schemas.events import Correction

_REMEMBERED = 5000
_LOCKS = 64


class Memory:
    """Thread-safe. Lost with the process: then the queue may show a title until the archivist has caught up, and the
    same verdict given again has the same ids."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sent: OrderedDict[UUID, Correction] = OrderedDict()
        self._title_locks = tuple(Lock() for _ in range(_LOCKS))

    @contextmanager
    def one_at_a_time(self, title_id: UUID) -> Iterator[None]:
        """Two verdicts on one title are judged one after the other, however fast somebody clicks."""
        with self._title_locks[title_id.int % _LOCKS]:
            yield

    def remember(self, correction: Correction) -> None:
        """The broker has acknowledged this verdict."""
        with self._lock:
            self._sent.pop(correction.title_id, None)
            self._sent[correction.title_id] = correction
            while len(self._sent) > _REMEMBERED:
                self._sent.popitem(last=False)

    def recall(self, title_id: UUID) -> Correction | None:
        """The verdict on this title that the projection may not show yet."""
        with self._lock:
            return self._sent.get(title_id)

    def sent(self) -> dict[UUID, UUID]:
        """Correction by title, of all that the projection may not show yet."""
        with self._lock:
            return {title_id: correction.correction_id for title_id, correction in self._sent.items()}

    def forget(self, corrections: Iterable[UUID]) -> None:
        """The projection has these."""
        done = set(corrections)
        with self._lock:
            for title_id in [key for key, sent in self._sent.items() if sent.correction_id in done]:
                del self._sent[title_id]
