"""A stream worker whose Faust gives up at the first message; run as a process by `test_faust_gives_up.py`."""

from __future__ import annotations

import asyncio
from typing import Any

import faust

from infra.settings import Settings, get_settings
from schemas.envelope import Envelope
from schemas.topics import ARTICLES
from workers import stream
from workers.stream import Lane, Outlet, run
from workers.window import Window

applications: list[Any] = []
build_app = stream.build_app


def remember(name: str, settings: Settings, window: Window, instance: str) -> faust.App:
    """Build the application as always; only we want to have it in hand, too."""
    application = build_app(name, settings, window, instance)
    applications.append(application)
    return application


async def handle(_: Envelope, __: Outlet) -> None:
    """Crash Faust as one of its own services would, then stay at the message for ever."""
    await applications[0].crash(RuntimeError("something inside of Faust is broken"))
    await asyncio.Event().wait()


if __name__ == "__main__":
    stream.build_app = remember
    run("crashing", get_settings(), [Lane(ARTICLES, handle)])
