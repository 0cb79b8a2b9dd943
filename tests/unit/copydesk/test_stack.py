"""Which processes run here, and with which settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from copydesk.main import WorkerName
from copydesk.ports import WORKERS, metrics_ports, ports
from copydesk.stack import processes
from infra.settings import Settings, get_settings
from schemas.errors import Invalid


def _names(settings: Settings, newsroom: list[str] | None = None) -> list[str]:
    return [process.name for process in processes(settings, newsroom=newsroom)]


def test_an_empty_configuration_runs_everything_here() -> None:
    assert _names(Settings(), newsroom=[]) == ["broker", "newsroom", "model-server", *WORKERS]


def test_an_own_cluster_and_model_server_take_the_place_of_the_embedded_ones() -> None:
    settings = Settings(kafka_bootstrap="kafka:9092", model_server_url="http://vllm:8000/v1")

    assert _names(settings) == list(WORKERS)


def test_every_worker_of_the_command_line_is_in_the_stack() -> None:
    assert set(WORKERS) == {name.value for name in WorkerName}


def test_each_worker_has_a_metrics_port_of_its_own_and_the_other_processes_have_none() -> None:
    listens = {p.name: p.environment["COPYDESK_METRICS_PORT"] for p in processes(Settings(metrics_first_port=4100))}

    assert {name: int(listens.pop(name)) for name in WORKERS} == dict(zip(WORKERS, range(4100, 4106), strict=True))
    assert set(listens.values()) == {"0"}


def test_no_first_port_is_no_metrics_port_for_anybody() -> None:
    settings = Settings(metrics_first_port=0)

    assert set(metrics_ports(settings).values()) == {0}
    assert {p.environment["COPYDESK_METRICS_PORT"] for p in processes(settings)} == {"0"}
    assert 0 not in ports(settings).values()


def test_no_two_things_listen_on_one_port() -> None:
    listens = ports(Settings(), press=True)

    assert len(set(listens.values())) == len(listens) == 5 + len(WORKERS)


def test_children_read_the_settings_that_their_parent_has(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, min_poll_s=2.0, retrain_enabled=False)

    environment = settings.environment()

    assert environment["COPYDESK_HOME"] == str(tmp_path)
    assert environment["COPYDESK_MIN_POLL_S"] == "2.0"
    assert environment["COPYDESK_RETRAIN_ENABLED"] == "False"
    assert "COPYDESK_WINDOW" not in environment


def test_the_compose_file_runs_every_worker_and_the_gateway_with_settings_that_exist() -> None:
    compose = yaml.safe_load(Path("docker-compose.yml").read_text())

    commands = {name: service.get("command") for name, service in compose["services"].items()}
    for worker in (*WORKERS, "gateway"):
        assert commands[worker] == (["gateway"] if worker == "gateway" else ["worker", worker])
        names = set(compose["services"][worker]["environment"])
        known = {f"COPYDESK_{name.upper()}" for name in Settings.model_fields}
        assert names <= known


def test_a_setting_that_makes_no_sense_is_named_and_its_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPYDESK_KAFKA_PORT", "s3cret")
    get_settings.cache_clear()
    with pytest.raises(Invalid, match="COPYDESK_KAFKA_PORT: Input should be a valid integer") as refused:
        get_settings()
    get_settings.cache_clear()
    assert "s3cret" not in str(refused.value)
