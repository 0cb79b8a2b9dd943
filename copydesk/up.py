"""`copydesk up`: the stack without the demo's press and curator."""

from __future__ import annotations

import signal
import sys
import threading

from copydesk.stack import processes, refuse_taken_ports
from infra.database import make_engine, migrate
from infra.settings import Settings
from infra.supervisor import Supervisor


def run(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM, then stop everything in order."""
    told_to_stop = threading.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: told_to_stop.set())
    settings = settings.model_copy(update={"home": settings.home.resolve()})
    refuse_taken_ports(settings, press=False)
    migrate(make_engine(settings))
    with Supervisor(settings, processes(settings)) as supervisor:
        print(
            f"desk http://{settings.desk_host}:{settings.desk_port} · logs {settings.home / 'logs'} · stop with Ctrl-C"
        )
        while not told_to_stop.wait(5.0):
            trouble = supervisor.trouble()
            if trouble:
                print(f"copydesk: {trouble}", file=sys.stderr, flush=True)
    print("copydesk: stopped")
