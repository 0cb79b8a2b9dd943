"""A model server for a machine without a GPU: the OpenAI protocol with vLLM's adapter endpoints.

`engine.py` owns the model, `batcher.py` the one thread that may touch it, `app.py` the HTTP side, `protocol.py` the
words spoken there. The generator does not notice whether it talks to this or to vLLM.
"""

from __future__ import annotations

import logging
import signal
import socket
from importlib import import_module

from infra.settings import Settings

log = logging.getLogger(__name__)
GRACE_S = 60
"""Seconds that running requests get to finish after SIGTERM."""


def main(settings: Settings) -> None:
    """Load the base model and serve until SIGTERM or Ctrl-C. Raises `SystemExit` with words if the port is taken."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # warns of a kernel hub that only 4-bit bases would want
    listener = _bind(settings.model_server_host, settings.model_server_port)
    uvicorn = import_module("uvicorn")
    app_module = import_module("infra.model_server.app")
    engine_module = import_module("infra.model_server.engine")
    batcher_module = import_module("infra.model_server.batcher")

    # uvicorn raises the signal again once it has stopped; a clean stop shall be exit status 0
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    engine = engine_module.Engine.load(settings.base_model, settings.base_revision, settings.threads)
    log.info("%s serves on %s:%d", settings.base_model, settings.model_server_host, settings.model_server_port)
    with batcher_module.Batcher(engine) as batcher:
        app = app_module.create_app(engine, batcher)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=GRACE_S)
        uvicorn.Server(config).run(sockets=[listener])


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise SystemExit(
            f"model server: port {port} on {host} is taken ({error.strerror}); "
            "set COPYDESK_MODEL_SERVER_PORT to a free one"
        ) from error
    return listener
