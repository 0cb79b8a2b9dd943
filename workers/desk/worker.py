"""The desk: reads what waits from the database, writes `corrections` and `published`, and talks to people by HTTP."""

from __future__ import annotations

import signal
import socket
import sys
from datetime import UTC, datetime
from types import FrameType

import uvicorn

from infra.database import make_engine, migrate
from infra.settings import Settings
from workers.desk.app import make_app
from workers.desk.desk import Desk
from workers.desk.post import Post


def main(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C; requests in flight are answered first. Exit code 0 on a clean stop."""
    engine = make_engine(settings)
    migrate(engine)
    post = Post(settings)
    app = make_app(settings, Desk(engine, post, lambda: datetime.now(UTC)))
    listening = _listen(settings.desk_host, settings.desk_port)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=15, server_header=False)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signal again when it is done
        signal.signal(number, _leave)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        post.close()
        engine.dispose()


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
