"""What the embedded broker is told, as text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.broker import EX_CONFIG, Refused, configure, new_cluster_id, prepare, server_properties
from infra.settings import Settings
from schemas.topics import MAX_MESSAGE_BYTES


def _properties() -> dict[str, str]:
    return dict(line.split("=", 1) for line in server_properties(29092, Path("/data")).splitlines())


def test_every_listener_is_on_the_loopback_address() -> None:
    properties = _properties()
    for name in ("listeners", "advertised.listeners"):
        assert all("://127.0.0.1:" in listener for listener in properties[name].split(","))


def test_topics_are_never_made_by_accident() -> None:
    assert _properties()["auto.create.topics.enable"] == "false"


def test_the_broker_takes_the_largest_message_of_the_registry() -> None:
    assert int(_properties()["message.max.bytes"]) > MAX_MESSAGE_BYTES


def test_nothing_is_forgotten_by_default() -> None:
    assert _properties()["log.retention.ms"] == "-1"
    assert int(_properties()["offsets.retention.minutes"]) > 365 * 24 * 60


def test_a_cluster_id_is_a_uuid_in_22_characters() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", new_cluster_id())


def test_with_a_broker_of_ones_own_the_embedded_one_refuses_to_start() -> None:
    with pytest.raises(Refused, match="kafka:9092") as refusal:
        prepare(Settings(kafka_bootstrap="kafka:9092"))
    assert refusal.value.status == EX_CONFIG


def test_a_folder_that_kafka_would_take_for_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="comma"):
        configure(29092, tmp_path / "a,b")
