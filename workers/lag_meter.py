"""How much the group has not committed yet, asked from the broker again and again in a thread of its own.

Whoever needs the figure takes the last one: asking can take half a minute when the broker is away, and the watchdog may
not look away for so long.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping

from infra.observability import metrics
from schemas.errors import Transient

EVERY_S = 15.0
Lags = Mapping[tuple[str, int], int]
"""Messages behind the committed offset by topic and partition."""
log = logging.getLogger(__name__)


class LagMeter:
    """Keeps the last measurement; `ask` may block and may raise `Transient`."""

    def __init__(self, ask: Callable[[], Lags]) -> None:
        self._ask = ask
        self._last: tuple[float, Lags] | None = None

    def start(self) -> None:
        """Measure from a daemon thread until the process ends."""

        def measure() -> None:
            while True:
                self.measure()
                time.sleep(EVERY_S)

        threading.Thread(target=measure, name="lag", daemon=True).start()

    def measure(self) -> None:
        """Measure once; a broker that is away leaves the last figure to grow old."""
        try:
            lags = self._ask()
        except Transient as error:
            log.debug("the lag is not to be had: %s", error)
            return
        self._last = time.monotonic(), lags
        topics: dict[str, int] = {}
        for (topic, _), behind in lags.items():
            topics[topic] = topics.get(topic, 0) + behind
        for topic, behind in topics.items():
            metrics.LAG.labels(topic).set(behind)

    def of(self, partitions: Collection[tuple[str, int]]) -> int | None:
        """The lag of these partitions; None if nobody knows: never measured, or too long ago."""
        if self._last is None or time.monotonic() - self._last[0] > 3 * EVERY_S:
            return None
        return sum(behind for place, behind in self._last[1].items() if place in partitions)
