"""What a stream worker shows of itself: to the watchdog, to `/livez` and `/readyz`, and as gauges on `/metrics`.

Everything here is read from other threads while the event loop works.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import Protocol

from infra.observability import health, metrics
from workers.watchdog import LOOP_SILENT_S, Vitals
from workers.window import Window


class Membership(Protocol):
    """What the consumer knows of its place in the group."""

    def joined(self) -> bool:
        """Is it a member?"""

    def assigned(self) -> Set[tuple[str, int]]:
        """The partitions it has been given."""

    def committed(self) -> int:
        """The sum of its committed offsets."""


@dataclass
class Pulse:
    """`phase` says what a worker does that is not yet or no longer reading; None while it reads."""

    window: Window
    membership: Membership
    own: Callable[[], str | None] | None = None
    """The worker's own reason for not being ready."""
    phase: str | None = "waiting for the broker"
    _ran: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """Note each second that the event loop runs."""
        self._ran = time.monotonic()
        asyncio.get_running_loop().call_later(1.0, self.beat)

    def vitals(self) -> Vitals:
        """For the watchdog."""
        return Vitals(
            now=time.monotonic(),
            loop_ran=self._ran,
            oldest_try=next(iter(dict(self.window.at_work).values()), None),
            oldest_in_hand=next(iter(dict(self.window.held).values()), None),
            done=self.window.done,
            committed=self.membership.committed(),
            joined=self.membership.joined(),
            assigned=frozenset(self.membership.assigned()),
        )

    def live(self) -> str | None:
        """Why somebody should start the process again."""
        silent_s = time.monotonic() - self._ran
        return f"the event loop has not run for {silent_s:.0f} s" if silent_s > LOOP_SILENT_S else None

    def ready(self) -> str | None:
        """Why no work gets done here at the moment."""
        if reason := self.live() or self.phase:
            return reason
        if not self.membership.joined():
            return "not in the consumer group"
        if not self.membership.assigned():
            return "no partition is assigned"
        if reason := self.window.outage.lasting:
            return f"paused: {reason}"
        return self.own() if self.own else None

    def show(self, port: int, host: str) -> health.Health | None:
        """Answer on a port and feed the gauges, read at each scrape. Raises `Invalid` if the port is taken."""
        window = self.window
        metrics.WINDOW_SIZE.set(window.size)
        metrics.IN_FLIGHT.set_function(lambda: window.in_hand)
        metrics.RESTING.set_function(lambda: max(0, window.in_hand - len(window.at_work)))
        metrics.WINDOW_OCCUPANCY.set_function(lambda: window.in_hand / window.size)
        metrics.PAUSED.set_function(lambda: window.outage.lasting is not None)
        metrics.PARTITIONS.set_function(lambda: len(self.membership.assigned()))
        return health.serve(port, live=self.live, ready=self.ready, host=host)
