"""The processes of Copydesk on one machine, in the order in which they start; they stop the other way round."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from copydesk.doctor import check_ports
from copydesk.ports import WORKERS, metrics_ports
from infra.settings import Settings
from infra.supervisor import Process
from schemas.errors import Invalid


def processes(settings: Settings, *, newsroom: Sequence[str] | None = None) -> list[Process]:
    """What has to run here: embedded services only where the settings name no others.

    `newsroom` gives the arguments of a simulated press to run beside it, None for no such press.
    """
    commands: list[tuple[str, list[str]]] = []
    if not settings.kafka_bootstrap:
        commands.append(("broker", ["broker"]))
    if newsroom is not None:
        commands.append(("newsroom", ["newsroom", *newsroom]))
    if not settings.model_server_url:
        commands.append(("model-server", ["model-server"]))
    commands += [(name, ["worker", name]) for name in WORKERS]
    # glibc keeps a heap per thread otherwise; these processes have many threads and little to say in each
    environment = settings.environment() | {"MALLOC_ARENA_MAX": "2"}
    listens = metrics_ports(settings)
    return [
        Process(
            name=name,
            command=(sys.executable, "-m", "copydesk", *arguments),
            priority=position,
            environment=environment | {"COPYDESK_METRICS_PORT": str(listens.get(name, 0))},
        )
        for position, (name, arguments) in enumerate(commands)
    ]


def refuse_taken_ports(settings: Settings, *, press: bool) -> None:
    """Raise `Invalid` when somebody else holds a port that the stack needs: better now than from a process' log."""
    ports = check_ports(settings, press=press)
    if not ports.ok:
        raise Invalid(f"ports {ports.detail}. What to do: {ports.remedy}")
