"""How a worker process ends when it does not end by itself: at once, with nothing acknowledged that was not done."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Coroutine
from typing import Any, NoReturn

EX_POISONED = 65
"""Too many dead letters: starting again would only bury more of them, so supervisors should leave the worker down."""
EX_SOFTWARE = 70
log = logging.getLogger(__name__)


def die(why: str) -> NoReturn:
    """A defect: say so and end with status 70, without any of the goodbyes that would acknowledge what is in hand."""
    log.critical("%s; ending with nothing acknowledged", why, exc_info=True)
    logging.shutdown()
    os._exit(EX_SOFTWARE)


def refuse(why: str) -> NoReturn:
    """A person has to look at the traffic first: end like `die`, with status 65 and no traceback."""
    log.critical("%s", why)
    logging.shutdown()
    os._exit(EX_POISONED)


def leave(why: str) -> NoReturn:
    """A stop that cannot be waited for: end with status 0; the broker notices."""
    log.info("%s; what was in hand comes again", why)
    logging.shutdown()
    os._exit(0)


async def unless(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Finish the work, or leave the process if the stop comes first: nothing has been acknowledged yet."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            leave("stopped before the first message")
        await task
    except Exception:
        die("the worker cannot start")
    finally:
        stopped.cancel()


def background(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run beside the streams. An exception in it is a defect of the worker: it ends the process, not only itself."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("background work failed", exc_info=error)
            die("background work failed")

    task = asyncio.ensure_future(work)
    task.add_done_callback(ended)
    return task
