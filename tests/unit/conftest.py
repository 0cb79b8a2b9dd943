"""Unit tests open no socket."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_socket import disable_socket


@pytest.fixture(autouse=True)
def _no_network() -> None:
    disable_socket(allow_unix_socket=True)  # asyncio's own self-pipe is a socket pair


@pytest.fixture(scope="session")
def entailment_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that can tell entailment in the words of `tests.entailment_model`."""
    from tests.entailment_model import save_entailment_model  # brings torch along

    folder = tmp_path_factory.mktemp("entailment") / "tiny-nli"
    save_entailment_model(folder)
    return folder
