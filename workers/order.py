"""Order by key: a message waits for the one before it with the same key; messages with different keys do not wait.

It holds within one process. After a kill or a rebalance a stretch of messages comes again, from its beginning and in
order; one that another process still has in hand then may be overtaken by its own repetition. Deterministic ids and
upserts make that harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


class PutBack(Exception):
    """The worker is stopping and this message was still waiting: it stays unacknowledged and comes again."""


@dataclass
class _Turn:
    over: asyncio.Event = field(default_factory=asyncio.Event)
    settled: bool = False


class Order:
    """Keeps the last message in hand of each key. Messages take their turns in the order in which they ask."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, bytes], _Turn] = {}

    @asynccontextmanager
    async def turn(self, topic_name: str, key: bytes) -> AsyncIterator[None]:
        """Wait for the message before, then be the one that the next waits for.

        Raises `PutBack` if the one before was put back: handled now, this one would overtake it.
        """
        place, mine = (topic_name, key), _Turn()
        before = self._last.get(place)
        self._last[place] = mine
        try:
            if before is not None:
                await before.over.wait()
                if not before.settled:
                    raise PutBack
            yield
            mine.settled = True
        finally:
            mine.over.set()
            if self._last[place] is mine:
                del self._last[place]
