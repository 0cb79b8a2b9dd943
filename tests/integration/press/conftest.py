"""A press on a free port whose clock the test holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
import uvicorn
from fastapi import FastAPI

from infra.newsroom.app import create_app
from infra.newsroom.sites import Press
from tests.ground import wait_until


class Hands:
    """A clock that moves when it is told to."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """Serve an application on 127.0.0.1; gives its address without a slash at the end."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: FastAPI) -> str:
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread))
        wait_until(lambda: server.started, 60)
        port: int = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture
def open_press(serve: Callable[[FastAPI], str]) -> Callable[[Press, Hands], str]:
    """Serve a press with the clock; gives its address."""
    return lambda press, clock: serve(create_app(press, clock))
