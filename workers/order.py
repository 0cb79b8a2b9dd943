"""Order by key: a message waits for the one before it with the same key; messages with different keys do not wait.

It holds within one process. After a kill or a rebalance a stretch of messages comes again, from its beginning and in
order; one that another process still has in hand then may be overtaken by its own repetition. Deterministic ids and
upserts make that harmless.
"""

from __future__ import annotations

import asyncio


class PutBack(Exception):
    """The worker is stopping and this message was still waiting: it stays unacknowledged and comes again."""


class Order:
    """Keeps the last message in hand of each key. Messages take their turns in the order in which they ask."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, bytes], Turn] = {}

    def turn(self, topic_name: str, key: bytes) -> Turn:
        """Enter it to wait for the message before, and be the one that the next waits for.

        Entering raises `PutBack` if the one before was put back: handled now, this one would overtake it.
        """
        return Turn(self._last, (topic_name, key))


class Turn:
    """From the end of the message before to the end of this one. A class: a generator would cost more than the wait."""

    def __init__(self, last: dict[tuple[str, bytes], Turn], place: tuple[str, bytes]) -> None:
        self._last = last
        self._place = place
        self._before = last.get(place)
        self._over = asyncio.Event()
        self._settled = False
        last[place] = self

    async def __aenter__(self) -> None:
        before, self._before = self._before, None  # or each would keep all before it in memory
        if before is None:
            return
        try:
            await before._over.wait()
            if not before._settled:
                raise PutBack
        except BaseException:
            self._end()
            raise

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._settled = kind is None
        self._end()

    def _end(self) -> None:
        self._over.set()
        if self._last.get(self._place) is self:
            del self._last[self._place]
