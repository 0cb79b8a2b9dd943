"""A part that every message needs is away: all wait, one at a time asks whether it is back, nobody is buried.

The messages take turns at asking, so that one which is alone in its trouble does not hold up the others for ever. The
first asks at once: a part that refuses a request now and then costs no more than that.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from schemas.errors import Invalid, Transient, Unavailable
from workers.order import PutBack

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0
LONGEST_WISH_S = 60.0
"""A part that asks for more patience than this is asked again all the same."""
REMIND_S = 60.0
log = logging.getLogger(__name__)


class TookTooLong(Transient):
    """A try was cut off. Of a message that may be its own fault; of one that asks whether a part is back, it is not."""


def pause(tries: int, draw: float) -> float:
    """Seconds until the next try: doubling, capped, and spread by `draw` (0..1) so that a crowd thins out."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(tries - 1, 16)) * (0.5 + draw / 2)


class Outage:
    """Lets tries pass while all is well. `closing` ends every wait: the worker stops."""

    def __init__(self, closing: asyncio.Event) -> None:
        self.reason: str | None = None
        """Why nobody may pass but the one who asks; None while all is well."""
        self.waiting = 0
        self._closing = closing
        self._turn = asyncio.Lock()  # first come, first served
        self._asked = 0
        self._began = self._said = self._last_asked = self._not_before = 0.0

    @property
    def lasting(self) -> str | None:
        """The reason of an outage that is more than one refused request."""
        return self.reason if self._asked else None

    async def passage(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Make an attempt when the way is clear or when it is this message's turn to ask.

        Raises `PutBack` if the worker stops meanwhile, and `Unavailable` for one who asks and gets no answer.
        """
        asking = self.reason is not None and await self._is_my_turn()
        try:
            await attempt()
            self._back(asking)
        except Unavailable as error:
            self._away(error, asking)
            raise
        except TookTooLong as error:
            if not asking:
                raise
            self._away(error, asking)
            raise Unavailable(str(error)) from error
        except (Invalid, Transient):
            self._back(asking)
            raise
        finally:
            if asking:
                self._turn.release()

    async def _is_my_turn(self) -> bool:
        """True: ask, and release the turn afterwards. False: it is over."""
        self.waiting += 1
        try:
            await self._turn.acquire()
            try:
                if self.reason is not None and (self._asked or self._not_before > time.monotonic()):
                    paused = self._last_asked + pause(self._asked, random.random()) if self._asked else 0.0
                    ready = max(paused, self._not_before)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._closing.wait(), ready - time.monotonic())
                if self._closing.is_set():
                    raise PutBack
            except BaseException:
                self._turn.release()
                raise
        finally:
            self.waiting -= 1
        if self.reason is None:
            self._turn.release()
            return False
        return True

    def _away(self, error: Transient, asking: bool) -> None:
        now = time.monotonic()
        if self.reason is None:
            self._began, self._said, self._asked = now, now - REMIND_S, 0
        self.reason = str(error)
        if isinstance(error, Unavailable):
            self._not_before = max(self._not_before, now + min(error.retry_after_s, LONGEST_WISH_S))
        if asking:
            self._asked += 1
            self._last_asked = now
            if now - self._said >= REMIND_S:
                self._said = now
                log.warning("paused for %.0f s, asked %d times: %s", now - self._began, self._asked, error)

    def _back(self, asking: bool) -> None:
        if not asking:
            return  # begun before the outage: its end proves nothing
        if self._asked:
            log.warning("goes on after %.0f s: what was away is back", time.monotonic() - self._began)
        self.reason, self._asked, self._not_before = None, 0, 0.0
