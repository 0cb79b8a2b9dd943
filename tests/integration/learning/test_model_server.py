"""The embedded model server over real HTTP, with a tiny random model."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import pytest

from infra.registry import digest_folder

ARTICLES = [f"Amber Harbor labs launches a new model {'with data ' * n}and raises {n} million." for n in range(1, 25)]


@dataclass
class Server:
    url: str
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def server(tiny_base: Path) -> Iterator[Server]:
    started = start(tiny_base)
    yield started
    started.process.terminate()
    assert started.process.wait(30) == 0


def start(base: Path, port: int = 0) -> Server:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "COPYDESK_BASE_MODEL": str(base),
        "COPYDESK_MODEL_SERVER_PORT": str(port),
        "COPYDESK_TORCH_THREADS": "1",
    }
    process = subprocess.Popen([sys.executable, "-m", "copydesk", "model-server"], env=environment)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, "the model server ended by itself"
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return Server(url, process)
        except httpx.TransportError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError("the model server did not get ready")


def load(server: Server, name: str, path: Path) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/load_lora_adapter", json={"lora_name": name, "lora_path": str(path)}, timeout=30
    )


def unload(server: Server, name: str) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/unload_lora_adapter", json={"lora_name": name}, timeout=30)


def body(model: str, text: str, **more: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 16, "temperature": 0, **more}


async def ask(client: httpx.AsyncClient, model: str, text: str) -> str:
    answer = await client.post("/v1/chat/completions", json=body(model, text))
    assert answer.status_code == 200, answer.text
    content = answer.json()["choices"][0]["message"]["content"]
    assert isinstance(content, str)
    return content


def client(server: Server) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, timeout=60, limits=httpx.Limits(max_connections=64))


def test_an_adapter_whose_files_are_not_those_of_the_digest_is_refused(
    server: Server, adapters: dict[str, Path], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(adapters["v1"], tmp_path / "copy"))
    body = {"lora_name": "checked", "lora_path": str(copy), "digest": digest_folder(copy)}
    weights = copy / "adapter_model.safetensors"
    sound = weights.read_bytes()
    weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    refused = httpx.post(f"{server.url}/v1/load_lora_adapter", json=body, timeout=30)
    assert refused.status_code == 400
    assert "changed or damaged" in refused.json()["error"]["message"]
    weights.write_bytes(sound)
    assert httpx.post(f"{server.url}/v1/load_lora_adapter", json=body, timeout=30).status_code == 200
    assert unload(server, "checked").status_code == 200
    (copy / "training_args.bin").write_bytes(b"a pickle")
    refused = load(server, "checked", copy)
    assert refused.status_code == 400
    assert "is a pickle" in refused.json()["error"]["message"]


async def test_answers_are_the_same_alone_and_in_a_batch_of_several_adapters(
    server: Server, adapters: dict[str, Path]
) -> None:
    for name, path in adapters.items():
        assert load(server, name, path).status_code == 200
    names = ["base", *adapters]
    async with client(server) as http:
        alone = {(name, text): await ask(http, name, text) for name in names for text in ARTICLES}
        together = dict(zip(alone, await asyncio.gather(*(ask(http, name, text) for name, text in alone)), strict=True))
    assert together == alone
    assert all(len({alone[name, text] for name in names}) == len(names) for text in ARTICLES)
    for name in adapters:
        assert unload(server, name).status_code == 200


def test_status_codes_are_vllms(server: Server, adapters: dict[str, Path], tmp_path: Path) -> None:
    assert load(server, "once", adapters["v1"]).status_code == 200
    assert load(server, "once", adapters["v1"]).status_code == 400
    assert load(server, "base", adapters["v1"]).status_code == 400
    assert load(server, "nowhere", tmp_path / "nowhere").status_code == 404
    listed = {card["id"]: card for card in httpx.get(f"{server.url}/v1/models").json()["data"]}
    assert (listed["once"]["root"], listed["once"]["parent"]) == (str(adapters["v1"]), "base")
    assert listed["base"]["parent"] is None
    assert unload(server, "once").status_code == 200
    assert unload(server, "once").status_code == 404
    unknown = httpx.post(f"{server.url}/v1/chat/completions", json=body("once", "hello"))
    assert unknown.status_code == 404
    assert unknown.json()["error"]["type"] == "NotFoundError"


def test_an_adapter_that_does_not_fit_is_refused_and_its_name_stays_free(
    server: Server, adapters: dict[str, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "adapter_config.json").write_bytes((adapters["v1"] / "adapter_config.json").read_bytes())
    assert load(server, "mended", broken).status_code == 400
    (broken / "adapter_model.safetensors").write_bytes(b"not tensors")
    assert load(server, "mended", broken).status_code == 400
    assert load(server, "mended", adapters["v1"]).status_code == 200
    assert unload(server, "mended").status_code == 200


@pytest.mark.parametrize(
    "request_body",
    [
        body("base", "amber " * 600),
        body("base", "amber", stream=True),
        body("base", "amber", n=2),
        body("base", "amber", max_tokens=100_000),
        {"model": "base", "messages": []},
    ],
    ids=["too long", "stream", "several answers", "too many tokens", "no message"],
)
def test_a_request_that_cannot_be_served_is_refused_with_400(server: Server, request_body: dict[str, object]) -> None:
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=request_body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


async def test_the_openai_client_reads_answer_and_usage(server: Server) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as models:
        answer = await models.chat.completions.create(
            model="base", messages=[{"role": "user", "content": "a new tool"}], max_tokens=5, temperature=0
        )
        with pytest.raises(openai.NotFoundError):
            await models.chat.completions.create(model="ghost", messages=[{"role": "user", "content": "a"}])
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 3
    assert answer.usage.completion_tokens <= 5
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_sampling_follows_its_seed_and_greedy_ignores_it(server: Server) -> None:
    async with client(server) as http:

        async def sample(seed: int, temperature: float) -> str:
            form = body("base", ARTICLES[0], seed=seed, temperature=temperature)
            answer = (await http.post("/v1/chat/completions", json=form)).json()
            return str(answer["choices"][0]["message"]["content"])

        assert await sample(1, 1.5) == await sample(1, 1.5)
        assert len({await sample(seed, 1.5) for seed in range(4)}) > 1
        assert await sample(1, 0) == await sample(2, 0)


async def test_no_request_fails_while_adapters_come_and_go(server: Server, adapters: dict[str, Path]) -> None:
    assert load(server, "old", adapters["v1"]).status_code == 200
    async with client(server) as http:
        serving = "old"
        asked: Counter[str] = Counter()
        returned, swapped = asyncio.Event(), asyncio.Event()

        async def traffic(worker: int) -> int:
            answered = 0
            while answered < 12 or not swapped.is_set():
                name = serving
                asked[name] += 1
                await ask(http, name, ARTICLES[(worker + answered) % len(ARTICLES)])
                asked[name] -= 1
                returned.set()
                answered += 1
            return answered

        workers = [asyncio.create_task(traffic(number)) for number in range(12)]
        for round_number in range(4):
            name = f"new-{round_number}"
            path = adapters["v2" if round_number % 2 == 0 else "v1"]
            reply = await http.post("/v1/load_lora_adapter", json={"lora_name": name, "lora_path": str(path)})
            assert reply.status_code == 200
            serving, before = name, serving
            while asked[before]:  # as with vLLM: traffic moves first, for a request on its way would find nothing
                returned.clear()
                await returned.wait()
            gone = await http.post("/v1/unload_lora_adapter", json={"lora_name": before})
            assert gone.status_code == 200
        swapped.set()
        assert sum(await asyncio.gather(*workers)) >= 12 * 12
    assert unload(server, serving).status_code == 200


async def test_sigterm_lets_running_requests_finish(tiny_base: Path) -> None:
    own = await asyncio.to_thread(start, tiny_base)
    async with client(own) as http:
        form = [body("base", text, max_tokens=120) for text in ARTICLES]
        asked = [asyncio.create_task(http.post("/v1/chat/completions", json=one)) for one in form]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        own.process.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [200] * len(ARTICLES)
    assert await asyncio.to_thread(own.process.wait, 30) == 0


def test_a_taken_port_is_said_in_words(tiny_base: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        environment = os.environ | {"COPYDESK_MODEL_SERVER_PORT": str(port), "COPYDESK_BASE_MODEL": str(tiny_base)}
        ended = subprocess.run(
            [sys.executable, "-m", "copydesk", "model-server"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode != 0
    assert f"port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr
