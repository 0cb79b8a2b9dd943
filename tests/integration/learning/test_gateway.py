"""The gateway as a process, beside a real broker and the embedded model server with the first champion."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import playwright
import pytest
from typer.testing import CliRunner

from copydesk.main import app
from infra.database import make_engine, migrate
from infra.newsroom.stories import write_story
from infra.registry import ModelRegistry
from infra.settings import LOOPBACK, Settings, get_settings
from tests.engines import ServerProcess
from tests.ground import environment_for, free_ports, wait_until
from tests.samples import NOW
from workers.retrainer.announce import announce
from workers.retrainer.first import first_champion

KEY = "a key"
README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
IN_README = "http://127.0.0.1:29083"
PATIENCE_S = 120
Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def model_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess("embedded", tmp_path_factory.mktemp("server") / "log")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def gateway(settings: Settings, model_server: ServerProcess) -> Iterator[str]:
    """Its address, once it is ready to write."""
    port = free_ports(2)
    settings = settings.model_copy(
        update={"model_server_url": model_server.url, "gateway_port": port, "metrics_port": port + 1}
    )
    environment = environment_for(settings) | {"COPYDESK_GATEWAY_KEYS": f"another,{KEY}, secret"}
    process = subprocess.Popen([sys.executable, "-m", "copydesk", "gateway"], env=environment)
    try:
        engine = make_engine(settings)
        migrate(engine)
        registry = ModelRegistry(engine)
        wait_until(lambda: _status(f"http://{LOOPBACK}:{port + 1}/livez") == 200, PATIENCE_S, every_s=0.2)
        address = f"http://{LOOPBACK}:{port}"
        early = httpx.post(f"{address}/v1/titles", json={"text": "Early."}, headers=_headers(KEY), timeout=60)
        assert (early.status_code, early.headers["retry-after"]) == (503, "1")
        first_champion(registry, settings, NOW)
        announce(registry, settings)
        wait_until(lambda: _status(f"http://{LOOPBACK}:{port + 1}/readyz") == 200, PATIENCE_S, every_s=0.2)
        yield address
        process.terminate()
        process.wait(60)
    finally:
        process.kill()
        process.wait()


def test_a_service_gets_a_title_with_its_judgement_and_where_it_comes_from(gateway: str, tmp_path: Path) -> None:
    def ask(body: object, key: str = KEY) -> httpx.Response:
        return httpx.post(f"{gateway}/v1/titles", json=body, headers=_headers(key), timeout=60)

    text = write_story(3, 1).text
    answer = ask({"text": text, "model": "copydesk-champion"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["title"]
    assert (found["model_version"], found["prompt_version"]) == ("v1", "v3")
    assert (found["decision"] == "review") == bool(found["reasons"])
    assert 0 < found["precision"] < 1
    assert found["evidence"] in text
    assert found["input_tokens"] > 50
    assert ask({"text": text}).json()["title"] == found["title"]

    refusals = [
        (ask({"text": text}, key="no key"), 401, "Authorization"),
        (httpx.post(f"{gateway}/v1/titles", json={"text": text}), 401, "Authorization"),
        (ask({"text": text, "model": "gpt"}), 404, "copydesk-champion"),
        (ask({"text": " \n"}), 400, "blank"),
        (ask({}), 400, "text"),
        (httpx.post(f"{gateway}/v1/titles", content=b"x" * 9_000_000), 401, "Authorization"),
        (httpx.post(f"{gateway}/v1/titles", content=b"x" * 9_000_000, headers=_headers(KEY)), 413, "bytes"),
        (httpx.post(f"{gateway}/v1/titles", content=iter([b"{}"]), headers=_headers(KEY)), 411, "Content-Length"),
        (ask({"text": "x" * 1_000_001}), 400, "text"),
    ]
    for refused, status, words in refusals:
        assert refused.status_code == status, refused.text
        assert words in refused.json()["error"]["message"]
    assert "x" * 100 not in refusals[-1][0].text

    # the snippets of the README, as they stand there
    for language, command in (
        ("bash", ["bash"]),
        ("python", [sys.executable, "-"]),
        ("javascript", [str(Path(playwright.__file__).parent / "driver" / "node"), "--input-type=module"]),
    ):
        snippets = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
        (snippet,) = [one for one in snippets if IN_README in one]
        done = subprocess.run(
            command, input=snippet.replace(IN_README, gateway), capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert "publish" in done.stdout or "review" in done.stdout, done.stdout


def test_prompts_are_tried_on_the_model_server(
    model_server: ServerProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COPYDESK_MODEL_SERVER_URL", model_server.url)
    get_settings.cache_clear()
    try:
        done = CliRunner().invoke(app, ["prompts", "try", "v2", "v3", "--limit", "12", "--firmer", "--json"])
        refused = CliRunner().invoke(app, ["prompts", "try", "v2", "--model", "ghost"])
    finally:
        get_settings.cache_clear()
    long, short = json.loads(done.output)
    assert (long["version"], short["version"], long["model"]) == ("v2", "v3", "base")
    assert len(long["titles"]) == len(short["titles"]) == 12
    assert long["input_tokens"] > short["input_tokens"] > 50
    assert long["kept"] <= long["kept_after"] <= 12
    assert "ghost" in str(refused.exception)


def test_without_a_key_it_does_not_start(settings: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "copydesk", "gateway"],
        env=environment_for(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    assert "COPYDESK_GATEWAY_KEYS" in done.stderr
    assert "Traceback" not in done.stderr


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _status(url: str) -> int:
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.HTTPError:
        return 0
