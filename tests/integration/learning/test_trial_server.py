"""The model server as a trial asks it, where one is configured: vLLM's protocol, spoken by a server of words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.settings import LOOPBACK, Settings
from schemas.errors import Unavailable
from tests.ground import free_ports
from tests.model_server import ModelServer
from training.serving import Rejected, model_server


@pytest.fixture
def port() -> Iterator[int]:
    port = free_ports(1)
    server = ModelServer(port)
    server.on()
    yield port
    server.off()


def test_a_configured_server_loads_answers_and_forgets(port: int, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, model_server_url=f"http://{LOOPBACK}:{port}/v1")
    with model_server(settings) as server:
        assert not server.knows("v9")
        with pytest.raises(Rejected, match="`v9` does not exist"):
            server.titles("v9", ["An article."], "v3")
        server.load("v9", tmp_path)
        told: list[str] = []
        assert server.titles("v9", ["One.", "Two is longer."], "v3", told.append) == ["v9", "v9"]
        assert told[-1] == "2 of 2 stories titled by v9"
        server.unload("v9")
        assert not server.knows("v9")


def test_a_server_that_is_away_is_no_verdict_on_the_candidate(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, model_server_url=f"http://{LOOPBACK}:{free_ports(1)}/v1")
    with model_server(settings) as server, pytest.raises(Unavailable, match="cannot be reached"):
        server.knows("v9")
