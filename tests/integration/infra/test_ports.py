"""A port that somebody else holds is a sentence before the start, not a riddle in a log."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from copydesk.stack import refuse_taken_ports
from infra.settings import Settings
from schemas.errors import Invalid
from tests.ground import free_ports


def test_a_taken_port_is_refused_with_its_number_and_the_setting_that_moves_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        with pytest.raises(Invalid, match=rf"{port} \(desk\).*COPYDESK_DESK_PORT"):
            refuse_taken_ports(_settings(tmp_path, desk=port), press=True)


def test_a_taken_metrics_port_is_named_with_its_worker(tmp_path: Path) -> None:
    settings = _settings(tmp_path, desk=free_ports())
    taken = socket.create_server(("127.0.0.1", settings.metrics_first_port + 1))
    with taken, pytest.raises(Invalid, match=r"scorer's metrics.*COPYDESK_METRICS_FIRST_PORT"):
        refuse_taken_ports(settings, press=True)


def test_a_press_that_somebody_runs_beside_the_stack_is_no_trouble(tmp_path: Path) -> None:
    settings = _settings(tmp_path, desk=free_ports())
    with socket.create_server(("127.0.0.1", settings.newsroom_port)):
        refuse_taken_ports(settings, press=False)
        with pytest.raises(Invalid, match=r"newsroom.*COPYDESK_NEWSROOM_PORT"):
            refuse_taken_ports(settings, press=True)


def test_free_ports_are_no_trouble(tmp_path: Path) -> None:
    refuse_taken_ports(_settings(tmp_path, desk=free_ports()), press=True)


def _settings(home: Path, desk: int) -> Settings:
    return Settings(
        home=home,
        desk_port=desk,
        newsroom_port=free_ports(),
        metrics_first_port=free_ports(6),
        kafka_bootstrap="elsewhere:1",
        model_server_url="http://elsewhere/v1",
    )
