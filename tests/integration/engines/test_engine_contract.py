"""What the generator expects of a model server, held against our own and against vLLM."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from editorial import prompts
from infra.artefacts import SAMPLE_MESSAGE, tokens_digest
from infra.newsroom.stories import write_story
from infra.registry import digest_folder
from infra.settings import DEMO_MODEL, LOOPBACK, Settings
from schemas.envelope import Envelope
from schemas.errors import Transient, Unavailable
from schemas.events import Adapter
from tests.engines import ServerProcess
from tests.samples import NOW, make_adapter
from training.artefact import base_digests
from workers.generator.engine import Engine, LoadRefused, TooLong, TooSlow, UnknownModel
from workers.generator.rollout import Rollout

ASKED = [prompts.render("v3", write_story(5, number).text) for number in range(8)]
IN_FLIGHT = 32
SWAPS = 10
BURST = 400
"""More than our own server lets wait."""
BUSY = 40
"""Requests that keep a server busy for longer than any hiccup of the machine."""
LONGEST = 48
PATIENCE_S = 300
pytestmark = pytest.mark.timeout(600)  # vLLM alone may take half of that to start


@asynccontextmanager
async def engine(url: str, **changes: object) -> AsyncIterator[Engine]:
    client = Engine(Settings.model_validate({"model_server_url": url, "max_title_tokens": LONGEST} | changes))
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def loaded(client: Engine, name: str, path: Path) -> AsyncIterator[None]:
    await client.load(name, str(path), digest_folder(path))
    try:
        yield
    finally:
        await client.unload(name)


async def test_an_answer_has_its_tokens_and_is_the_same_when_asked_again(server: ServerProcess) -> None:
    async with engine(server.url) as client:
        first, second = [await client.complete("base", ASKED[0]) for _ in range(2)]
    assert first.text
    assert first.text == second.text
    assert 0 < first.output_tokens <= LONGEST
    assert first.input_tokens > 50


async def test_it_says_which_tokens_its_chat_template_and_tokenizer_make(server: ServerProcess) -> None:
    async with engine(server.url) as client:
        tokens = await client.tokenize("base", SAMPLE_MESSAGE)
        assert tokens is not None
        assert tokens_digest(tokens) == base_digests(str(DEMO_MODEL / "base"), "main").sample
        assert await client.tokenize("ghost", SAMPLE_MESSAGE) is None


async def test_an_answer_longer_than_allowed_is_cut_and_is_an_answer(server: ServerProcess) -> None:
    async with engine(server.url) as client:
        whole = await client.complete("base", ASKED[0])
    async with engine(server.url, max_title_tokens=8) as client:
        short = await client.complete("base", ASKED[0])
    assert short.output_tokens == 8 < whole.output_tokens
    assert whole.text.startswith(short.text.rstrip("\ufffd"))


async def test_an_unknown_model_is_told_from_all_else_that_can_go_wrong(server: ServerProcess) -> None:
    async with engine(server.url) as client:
        with pytest.raises(UnknownModel):
            await client.complete("ghost", ASKED[0])


async def test_a_prompt_longer_than_the_context_says_that_it_is_too_long(server: ServerProcess) -> None:
    async with engine(server.url) as client:
        with pytest.raises(TooLong):
            await client.complete("base", "harbour " * 4000)


async def test_an_adapter_comes_writes_its_own_titles_and_goes(
    server: ServerProcess, adapters: tuple[Path, Path]
) -> None:
    async with engine(server.url) as client:
        base = await client.complete("base", ASKED[0])
        async with loaded(client, "one", adapters[0]), loaded(client, "two", adapters[1]):
            assert {"base", "one", "two"} <= await client.loaded()
            await client.load("one", str(adapters[0]), digest_folder(adapters[0]))
            one, two = [await client.complete(name, ASKED[0]) for name in ("one", "two")]
            assert len({base.text, one.text, two.text}) == 3
        assert await client.loaded() == {"base"}
        with pytest.raises(UnknownModel):
            await client.complete("one", ASKED[0])
        await client.unload("one")


async def test_an_adapter_that_cannot_be_loaded_is_refused_and_its_name_stays_free(
    server: ServerProcess, adapters: tuple[Path, Path], tmp_path: Path
) -> None:
    hollow = tmp_path / "hollow"
    hollow.mkdir()
    shutil.copy(adapters[0] / "adapter_config.json", hollow)
    async with engine(server.url) as client:
        for path in (tmp_path / "nowhere", hollow):
            with pytest.raises((LoadRefused, Transient)):
                await client.load("mended", str(path))
        assert "mended" not in await client.loaded()
        async with loaded(client, "mended", adapters[0]):
            assert (await client.complete("mended", ASKED[0])).text


async def test_a_title_that_takes_too_long_is_given_up_and_the_server_goes_on(server: ServerProcess) -> None:
    async with engine(server.url, model_timeout_s=300) as client:
        others = [asyncio.create_task(client.complete("base", f"Harbour {number} opens.")) for number in range(BUSY)]
        await asyncio.sleep(0.1)
        async with engine(server.url, model_timeout_s=0.001) as hasty:
            with pytest.raises(TooSlow):
                await hasty.complete("base", ASKED[0])
        await asyncio.gather(*others)
        assert (await client.complete("base", ASKED[0])).text


async def test_a_burst_is_answered_or_put_off_and_never_fails_otherwise(server: ServerProcess) -> None:
    async with engine(server.url, max_title_tokens=8, model_timeout_s=300) as client:
        asked = (client.complete("base", f"Harbour {number} opens.") for number in range(BURST))
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        answered = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)] == [Unavailable] * (
            BURST - len(answered)
        )
        assert len(answered) >= BURST // 2
        assert (await client.complete("base", ASKED[0])).text


async def test_an_answer_that_breaks_off_is_waited_for_anew(server: ServerProcess) -> None:
    async with cutting_proxy(server.url) as url, engine(url) as client:
        with pytest.raises(Transient):
            await client.complete("base", ASKED[0])


async def test_ten_swaps_under_load_fail_no_request_and_mix_up_no_title(
    server: ServerProcess, adapters: tuple[Path, Path]
) -> None:
    folders = {f"swap-{number}": adapters[number % 2] for number in range(SWAPS + 1)}
    async with engine(server.url) as client:
        own: dict[Path, list[str]] = {}
        bare = [(await client.complete("base", prompt)).text for prompt in ASKED]
        for path in adapters:
            async with loaded(client, "alone", path):
                own[path] = [(await client.complete("alone", prompt)).text for prompt in ASKED]
        assert all(len(set(texts)) == 3 for texts in zip(bare, *own.values(), strict=True))
        rollout = Rollout(client, None, ASKED, linger_s=0)
        converging = asyncio.create_task(rollout.converge())
        rollout.current()
        done = asyncio.Event()
        wrong: list[tuple[str, int, str]] = []
        answers = 0

        async def traffic(start: int) -> None:
            nonlocal answers
            number = start
            while not done.is_set():
                number = (number + 1) % len(ASKED)
                with rollout.lease() as adapter:
                    answer = await client.complete(adapter.model_version, ASKED[number])
                    answers += 1
                    if answer.text != own[folders[adapter.model_version]][number]:
                        wrong.append((adapter.model_version, number, answer.text))

        workers: list[asyncio.Task[None]] = []

        async def swap(wanted: Adapter) -> None:
            form = Envelope(event=wanted, event_id=str(wanted.event_id), source="/test", time=NOW, traceparent="")
            await rollout.announced(form)
            await until(lambda: rollout.serving == wanted)

        async def work_on(titles: int) -> None:
            floor = answers + titles
            await until(lambda: answers >= floor or any(worker.done() for worker in workers))

        for sequence, (name, path) in enumerate(folders.items(), start=1):
            announced = make_adapter(sequence, version=name, artefact_uri=path.as_uri())
            await swap(announced.model_copy(update={"digest": digest_folder(path)}))
            if not workers:
                workers = [asyncio.create_task(traffic(number)) for number in range(IN_FLIGHT)]
            await work_on(IN_FLIGHT)
        done.set()
        await asyncio.gather(*workers)
        async with asyncio.timeout(PATIENCE_S):
            while await client.loaded() != {"base", f"swap-{SWAPS}"}:
                pass
        converging.cancel()
        await client.unload(f"swap-{SWAPS}")
    print(f"{server.kind}: {SWAPS} swaps, {answers} titles, {len(wrong)} not of the version named")
    assert not wrong
    assert answers >= SWAPS * IN_FLIGHT


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def cutting_proxy(url: str) -> AsyncIterator[str]:
    """Passes requests on and hangs up in the middle of every answer."""
    target = urlsplit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(target.hostname, target.port)
        passing = asyncio.create_task(_pass_on(reader, upstream_writer))
        head = await upstream_reader.readuntil(b"\r\n\r\n")
        writer.write(head + await upstream_reader.read(20))
        await writer.drain()
        writer.close()
        upstream_writer.close()
        passing.cancel()

    async with await asyncio.start_server(serve, LOOPBACK, 0) as proxy:
        yield f"http://{LOOPBACK}:{proxy.sockets[0].getsockname()[1]}/v1"


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(65536):
        writer.write(part)
        await writer.drain()
