from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import openai
import pytest

from infra.registry import digest_folder
from infra.settings import Settings
from schemas.errors import Invalid, Transient, Unavailable
from workers.generator.engine import Engine, LoadRefused, TooLong, UnknownModel

Reply = Callable[[httpx2.Request], httpx2.Response]


def engine(reply: Reply) -> Engine:
    client = openai.DefaultAsyncHttpxClient(transport=httpx2.MockTransport(reply))
    return Engine(Settings(model_server_url="http://models.test/v1"), client)


def refusing(status: int, message: str = "no") -> Reply:
    return lambda _: httpx2.Response(status, json={"error": {"message": message, "code": status}})


def completion(content: object, **changes: object) -> dict[str, object]:
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "v1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    } | changes


async def test_an_answer_comes_with_its_tokens_and_was_asked_for_greedily() -> None:
    asked: list[dict[str, object]] = []

    def reply(request: httpx2.Request) -> httpx2.Response:
        asked.append(json.loads(request.content))
        return httpx2.Response(200, json=completion("Harbour opens"))

    answer = await engine(reply).complete("v1", "Write a title.")
    assert (answer.text, answer.input_tokens, answer.output_tokens) == ("Harbour opens", 12, 3)
    assert asked[0]["model"] == "v1"
    assert asked[0]["temperature"] == 0.0
    assert asked[0]["messages"] == [{"role": "user", "content": "Write a title."}]


@pytest.mark.parametrize("content", ["", None])
async def test_an_empty_answer_is_an_answer(content: str | None) -> None:
    answer = await engine(lambda _: httpx2.Response(200, json=completion(content))).complete("v1", "x")
    assert answer.text == ""


async def test_a_server_that_does_not_count_tokens_is_no_reason_to_fail() -> None:
    answer = await engine(lambda _: httpx2.Response(200, json=completion("T", usage=None))).complete("v1", "x")
    assert (answer.input_tokens, answer.output_tokens) == (0, 0)


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(200, text="<html>a proxy's idea of an answer</html>"),
        httpx2.Response(200, text="{broken", headers={"content-type": "application/json"}),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={}),
        httpx2.Response(200, json=completion("x", choices=[])),
        httpx2.Response(200, json=completion("x", choices=[{"index": 0}])),
        httpx2.Response(200, json=completion({"a": 1})),
        httpx2.Response(200, text=""),
    ],
    ids=["html", "broken", "list", "empty", "no choices", "no message", "no text", "nothing"],
)
async def test_nonsense_is_transient_trouble(response: httpx2.Response) -> None:
    with pytest.raises(Transient) as caught:
        await engine(lambda _: response).complete("v1", "x")
    assert not isinstance(caught.value, Unavailable)


@pytest.mark.parametrize("status", [429, 502, 503, 504, 401])
async def test_a_server_that_is_full_or_down_is_waited_for(status: int) -> None:
    with pytest.raises(Unavailable):
        await engine(refusing(status)).complete("v1", "x")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7.0), ("", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("-3", 0.0), ("²", 0.0)],
)
async def test_a_full_server_says_how_long_to_wait(said: str, seconds: float) -> None:
    headers = {b"retry-after": said.encode()}
    reply = httpx2.Response(429, json={"error": {"message": "full"}}, headers=headers)
    with pytest.raises(Unavailable) as caught:
        await engine(lambda _: reply).complete("v1", "x")
    assert caught.value.retry_after_s == seconds


async def test_no_connection_is_waited_for() -> None:
    def reply(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with pytest.raises(Unavailable, match="cannot be reached"):
        await engine(reply).complete("v1", "x")


async def test_a_title_that_takes_too_long_on_a_server_that_answers_is_transient_trouble() -> None:
    def reply(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/models"):
            return httpx2.Response(200, json={"object": "list", "data": []})
        raise httpx2.ReadTimeout("slow")

    with pytest.raises(Transient) as caught:
        await engine(reply).complete("v1", "x")
    assert not isinstance(caught.value, Unavailable)


async def test_a_server_that_hangs_altogether_is_waited_for() -> None:
    def reply(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("hangs")

    with pytest.raises(Unavailable, match="hangs"):
        await engine(reply).complete("v1", "x")


async def test_a_server_error_is_transient_and_a_refusal_is_final() -> None:
    with pytest.raises(Transient):
        await engine(refusing(500)).complete("v1", "x")
    with pytest.raises(Invalid):
        await engine(refusing(400)).complete("v1", "x")


async def test_an_unknown_model_and_a_long_prompt_are_told_apart() -> None:
    with pytest.raises(UnknownModel):
        await engine(refusing(404, "The model `v1` does not exist.")).complete("v1", "x")
    with pytest.raises(TooLong):
        await engine(refusing(400, "This model's maximum context length is 512 tokens.")).complete("v1", "x")


class Adapters:
    """vLLM's adapter endpoints as a function."""

    def __init__(self, *loaded: str, files: tuple[str, ...] = ("/models/v2",)) -> None:
        self.names = {"base", *loaded}
        self.files = files
        self.calls: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        action = request.url.path.rsplit("/", 1)[1]
        self.calls.append(action)
        if action == "models":
            cards = [{"id": name, "object": "model", "created": 1, "owned_by": "x"} for name in sorted(self.names)]
            return httpx2.Response(200, json={"object": "list", "data": cards})
        body = json.loads(request.content)
        if action == "load_lora_adapter":
            if body["lora_name"] in self.names:
                return httpx2.Response(400, json={"error": {"message": "already loaded"}})
            if body["lora_path"] not in self.files:
                return httpx2.Response(404, json={"error": {"message": "no such path"}})
            self.names.add(body["lora_name"])
        elif body["lora_name"] not in self.names:
            return httpx2.Response(404, json={"error": {"message": "not found"}})
        else:
            self.names.remove(body["lora_name"])
        return httpx2.Response(200, text="Success")


async def test_an_adapter_is_loaded_once() -> None:
    server = Adapters()
    client = engine(server)
    await client.load("v2", "/models/v2")
    await client.load("v2", "/models/v2")
    assert server.calls.count("load_lora_adapter") == 1
    assert "v2" in await client.loaded()


async def test_an_adapter_whose_files_are_missing_is_refused() -> None:
    with pytest.raises(LoadRefused, match="no such path"):
        await engine(Adapters()).load("v3", "/models/v3")


async def test_an_adapter_whose_files_have_changed_is_refused_before_a_server_that_looks_at_no_digest_is_asked(
    tmp_path: Path,
) -> None:
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    digest = digest_folder(tmp_path)
    server = Adapters(files=(str(tmp_path),))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"other weights")
    with pytest.raises(LoadRefused, match="changed or damaged"):
        await engine(server).load("v2", str(tmp_path), digest)
    assert "load_lora_adapter" not in server.calls
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    await engine(server).load("v2", str(tmp_path), digest)
    assert "v2" in server.names


async def test_an_adapter_that_another_generator_loaded_meanwhile_is_loaded() -> None:
    server = Adapters("v2")
    looks = 0

    def late(request: httpx2.Request) -> httpx2.Response:
        nonlocal looks
        if request.url.path.endswith("/models"):
            looks += 1
            if looks == 1:
                return httpx2.Response(200, json={"object": "list", "data": []})
        return server(request)

    await engine(late).load("v2", "/models/v2")


async def test_unloading_what_is_not_there_is_no_trouble() -> None:
    server = Adapters("v2")
    await engine(server).unload("v2")
    await engine(server).unload("v2")
    assert server.names == {"base"}
