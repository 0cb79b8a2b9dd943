"""A stream worker whose handler cannot be interrupted; run as a process by `test_stuck_worker.py`."""

from __future__ import annotations

import asyncio

from infra.settings import get_settings
from schemas.envelope import Envelope
from schemas.topics import ARTICLES
from workers import stream
from workers.stream import Lane, Outlet, run

STOP_S = 3.0
"""In place of half a minute: the test need not wait for so long."""
home = get_settings().home


async def handle(_: Envelope, __: Outlet) -> None:
    """Stay at the message for ever, deaf to every cancellation, as code that catches too much is."""
    (home / "stuck").touch()
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


if __name__ == "__main__":
    stream.STOP_S = STOP_S
    run("stuck", get_settings(), [Lane(ARTICLES, handle)])
