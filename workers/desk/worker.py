"""The desk: reads what waits from the database, writes `corrections` and `published`, and talks to people by HTTP."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache, partial
from math import nan
from types import FrameType

import uvicorn
from fastapi import FastAPI

from editorial import vocabulary
from infra.database import make_engine, migrate
from infra.observability import health, metrics
from infra.settings import Settings
from schemas.errors import Transient
from workers.desk.app import make_app
from workers.desk.desk import Desk
from workers.desk.post import Post
from workers.desk.watch import EVERY_S, Watch

log = logging.getLogger(__name__)

SILENCE_S = 60.0
"""A desk whose event loop has not run for so long answers nobody."""


def main(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C; requests in flight are answered first. Exit code 0 on a clean stop."""
    engine = make_engine(settings)
    migrate(engine)
    post = Post(settings)
    words_of = lru_cache(lambda version: vocabulary.load(settings.artefacts / version))
    desk = Desk(engine, post, lambda: datetime.now(UTC), words_of)
    app = make_app(settings, desk, lifespan=partial(_beating, show(settings, desk), Watch(desk)))
    listening = _listen(settings.desk_host, settings.desk_port)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=15, server_header=False)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signal again when it is done
        signal.signal(number, _leave)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        post.close()
        engine.dispose()


def show(settings: Settings, desk: Desk) -> health.Condition:
    """Answer for health and metrics; the event loop has to keep the condition that is returned up to date."""
    condition = health.Condition(silence_s=SILENCE_S, starting="the desk starts")
    metrics.REVIEW_WAITING.set_function(lambda: _waiting(desk))
    health.serve(
        settings.metrics_port, live=condition.live, ready=lambda: _ready(desk, condition), host=settings.metrics_host
    )
    return condition


@asynccontextmanager
async def _beating(condition: health.Condition, watch: Watch, app: FastAPI) -> AsyncIterator[None]:
    """Say all along that the event loop, which answers the requests, runs; and look at the quality beside it."""

    async def beat() -> None:
        while True:
            condition.beat()
            await asyncio.sleep(1.0)

    async def look() -> None:
        while True:
            try:
                await asyncio.to_thread(watch.look)
            except Exception:  # verdicts go on without it
                log.exception("the quality of the flagger could not be looked at")
            await asyncio.sleep(EVERY_S)

    tasks = asyncio.create_task(beat()), asyncio.create_task(look())
    condition.started()
    yield
    for task in tasks:
        task.cancel()


def _ready(desk: Desk, condition: health.Condition) -> str | None:
    """The broker is not asked: the desk can be read without it, and verdicts say so themselves."""
    if reason := condition.ready():
        return reason
    try:
        desk.count_waiting()
    except Transient as error:
        return str(error)
    return None


def _waiting(desk: Desk) -> float:
    try:
        return float(desk.count_waiting())
    except Transient:
        return nan


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket; leaves with a message for a person when the port is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        sys.exit(f"the desk cannot listen on {host}:{port} ({error.strerror}): set COPYDESK_DESK_PORT to another port")
    return listening


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
