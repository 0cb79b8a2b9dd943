"""The ports that Copydesk listens on when it runs on one machine."""

from __future__ import annotations

from infra.settings import Settings

WORKERS = ("archivist", "scorer", "generator", "desk", "retrainer", "scraper")
"""Readers start before writers, and the scraper, which sets everything in motion, last."""


def metrics_ports(settings: Settings) -> dict[str, int]:
    """Each worker's port for metrics and health: one after the other, in starting order. 0 if there are to be none."""
    first = settings.metrics_first_port
    return {name: first + place if first else 0 for place, name in enumerate(WORKERS)}


def ports(settings: Settings, *, press: bool = False) -> dict[str, int]:
    """Every port by what listens on it; embedded services only where the settings name no others.

    `press`: with the simulated press, which runs beside `copydesk up` only if somebody starts it.
    """
    taken = {"desk": settings.desk_port}
    if press:
        taken |= {"newsroom": settings.newsroom_port}
    if not settings.kafka_bootstrap:
        taken |= {"kafka": settings.kafka_port, "Kafka's controller": settings.kafka_port + 1}
    if not settings.model_server_url:
        taken |= {"model server": settings.model_server_port}
    if settings.metrics_first_port:
        taken |= {f"{name}'s metrics": port for name, port in metrics_ports(settings).items()}
    return taken
