"""Keeps a log readable when one thing happens very often: aiokafka writes ten lines a second while a broker is away,
and a bad hour of the model server a line for each try.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

EVERY_S = 30.0
CHATTY = ("aiokafka", "faust", "kafka", "mode", "workers.window")
MOST_KINDS = 1_000


class Throttle(logging.Filter):
    """Of a kind of line (who says it, how loud, and its text before the figures are put in) one passes per `EVERY_S`.

    The next that passes says how many were left out. Lines of others, and the loudest (CRITICAL), always pass.
    """

    def __init__(self, loggers: Iterable[str] = CHATTY, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._loggers = frozenset(loggers)
        self._clock = clock
        self._kinds: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.CRITICAL or not self._watched(record.name):
            return True
        kind, now = (record.name, record.levelno, str(record.msg)), self._clock()
        said, left_out = self._kinds.get(kind, (now - EVERY_S, 0))
        if now - said < EVERY_S:
            self._kinds[kind] = (said, left_out + 1)
            return False
        if len(self._kinds) >= MOST_KINDS:  # texts that are different each time: begin again rather than grow
            self._kinds.clear()
        self._kinds[kind] = (now, 0)
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} more like this)", None
        return True

    def _watched(self, name: str) -> bool:
        return any(name[: len(logger)] == logger and name[len(logger) :][:1] in ("", ".") for logger in self._loggers)


def keep_readable() -> None:
    """Quiet the libraries and throttle every handler of the root logger. Harmless to repeat."""
    for library in ("faust", "mode", "aiokafka", "kafka"):
        logging.getLogger(library).setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        if not any(isinstance(present, Throttle) for present in handler.filters):
            handler.addFilter(Throttle())
