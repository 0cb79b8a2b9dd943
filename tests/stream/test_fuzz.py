"""Whatever lies on a topic, a worker handles it or buries it: it never meets a defect, and never waits for ever."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx2
import openai
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from editorial.bertscore import Score
from editorial.flagger import Policy
from infra.database import make_engine, migrate
from infra.kafka import BATCH_OVERHEAD_BYTES, DEAD_LETTER_ROOM_BYTES
from infra.settings import Settings
from schemas.envelope import Envelope, decode
from schemas.events import Adapter
from schemas.topics import ADAPTERS, ARTICLES, MAX_MESSAGE_BYTES, TITLES, TOPICS
from tests.fuzz import ODD, Raw, golden, raw_messages
from tests.samples import NOW, make_adapter
from workers.archivist.worker import lane as archivist_lane
from workers.compacted import _deliver
from workers.dead_letters import Delivery, RawHeaders, without_reasons
from workers.generator.engine import Engine
from workers.generator.rollout import Rollout
from workers.generator.worker import Generator
from workers.scorer.batcher import Batcher
from workers.scorer.judgement import judge
from workers.scorer.worker import lane as scorer_lane
from workers.sending import Streams
from workers.stream import build_app
from workers.window import Lane, Window

MANY = how(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


ODD_TEXTS = st.sampled_from([odd for odd in ODD if isinstance(odd, str) and odd.isprintable()])


class Post(Streams):
    """Keeps what is sent in place of sending it."""

    def __init__(self, settings: Settings, window: Window) -> None:
        super().__init__(build_app("fuzz", settings, window, "fuzz-0"), "fuzz")
        self.sent: list[tuple[str, bytes | None, bytes | None, RawHeaders]] = []

    async def send_raw(self, topic_name: str, key: bytes | None, value: bytes | None, headers: RawHeaders) -> None:
        self.sent.append((topic_name, key, value, headers))


class Reader:
    """A worker's lane behind a real window; messages are handed over one at a time."""

    def __init__(self, home: Path, lane: Lane) -> None:
        settings = Settings(home=home, kafka_bootstrap="127.0.0.1:1")
        self.lane = lane
        self.window = Window(group="copydesk.fuzz", size=8, max_attempts=1, try_limit_s=30)
        self.post = Post(settings, self.window)

    async def read(self, raw: Raw) -> str:
        """`handled` or `buried`; anything else fails."""
        key, value, headers = raw
        self.post.sent.clear()
        async with asyncio.timeout(20):
            await self.window.process(
                self.lane, Delivery(self.lane.topic.name, 0, 0, 0, key, value, headers), self.post
            )
        letters = [sent for sent in self.post.sent if sent[0] == self.lane.topic.dead_letters]
        for topic_name, _, out_value, out_headers in self.post.sent:
            if topic_name != self.lane.topic.dead_letters:
                decode(out_value, out_headers)  # what goes out can be read by whoever reads it
        if not letters:
            envelope = decode(value, headers)
            assert isinstance(envelope.event, self.lane.topic.event)
            return "handled"
        [(_, buried_key, buried_value, buried_headers)] = letters
        if "copydesk-left-out" not in dict(buried_headers):
            kept = without_reasons(headers)
            assert (buried_key, buried_value, buried_headers[: len(kept)]) == (key, value, kept)
        assert dict(buried_headers)["copydesk-verdict"] == b"invalid", "nothing outside failed: the message is to blame"
        return "buried"


class Even:
    """Stands where BERTScore is: the same score for everything."""

    hash = "even"

    def score(self, titles: Sequence[str], articles: Sequence[str]) -> list[Score]:
        return [Score(precision=0.5, recall=0.5, f1=0.5, evidence=article[:20]) for article in articles]


class Model:
    """vLLM's protocol: takes every adapter, and says what it is told to say."""

    def __init__(self) -> None:
        self.says = "a title"
        client = openai.DefaultAsyncHttpxClient(transport=httpx2.MockTransport(self._reply))
        self.engine = Engine(Settings(model_server_url="http://model.test/v1"), client)
        self._loaded = {"base"}

    def _reply(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            cards = [{"id": name, "object": "model", "created": 1, "owned_by": "x"} for name in sorted(self._loaded)]
            return httpx2.Response(200, json={"object": "list", "data": cards})
        if request.url.path.endswith("load_lora_adapter"):
            self._loaded.add(json.loads(request.content)["lora_name"])
            return httpx2.Response(200, json={})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": self.says}}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        return httpx2.Response(200, content=json.dumps(body), headers={"content-type": "application/json"})


async def _serve(rollout: Rollout, adapter: Adapter) -> None:
    """Let the rollout work towards the adapter for a while; fails if it breaks over it."""
    await rollout.announced(Envelope(adapter, "id", "/copydesk/test", NOW, ""))
    rollout.current()
    work = asyncio.create_task(rollout.converge())
    for _ in range(100):
        await asyncio.wait({work}, timeout=0.003)
        if rollout.serving is not None or work.done():
            break
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert work.cancelled(), f"the rollout broke: {work.exception()!r}"


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def archivists(tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner) -> Iterator[dict[str, Reader]]:
    home = tmp_path_factory.mktemp("archivist")
    engine = make_engine(Settings(home=home))
    migrate(engine)
    with ThreadPoolExecutor(1) as executor:
        yield runner.run(readers(home, [archivist_lane(topic, engine, executor) for topic in TOPICS]))
    engine.dispose()


async def readers(home: Path, lanes: list[Lane]) -> dict[str, Reader]:
    return {lane.topic.name: Reader(home, lane) for lane in lanes}


@pytest.mark.parametrize("topic", [topic.name for topic in TOPICS])
@given(data=st.data())
@MANY
def test_the_archivist(topic: str, data: st.DataObject, archivists: dict[str, Reader], runner: asyncio.Runner) -> None:
    assert runner.run(archivists[topic].read(data.draw(raw_messages(topic)))) in ("handled", "buried")


HUGE: dict[str, Raw] = {
    "a value beyond the limit": (b"k", b" " * (MAX_MESSAGE_BYTES + 1), golden()[0].wire_headers),
    "a value far beyond the limit": (b"k", b" " * (20 * MAX_MESSAGE_BYTES), golden()[0].wire_headers),
    "a key beyond the limit": (b"k" * 2 * MAX_MESSAGE_BYTES, None, ()),
    "a header beyond the limit": (b"k", golden()[0].wire_value, (("x", b"y" * 2 * MAX_MESSAGE_BYTES),)),
    "a hundred thousand headers": (b"k", golden()[0].wire_value, (("x", None),) * 100_000),
    "a million brackets": (b"k", b"[" * 1_000_000, golden()[0].wire_headers),
    "seven hundred thousand levels": (b"k", b'{"article":' * 700_000, golden()[0].wire_headers),
    "a number of a million digits": (b"k", b'{"revision":' + b"9" * 1_000_000 + b"}", golden()[0].wire_headers),
    "a pickle": (b"k", pickle.dumps({"revision": 1}), golden()[0].wire_headers),
}


@pytest.mark.parametrize("name", HUGE)
def test_what_is_too_much_is_buried_in_a_letter_that_can_be_sent(
    name: str, archivists: dict[str, Reader], runner: asyncio.Runner
) -> None:
    reader, (key, value, headers) = archivists[ARTICLES.name], HUGE[name]
    outcome = runner.run(reader.read((key, value, headers)))
    [(_, _, _, letter)] = reader.post.sent
    sent = sum(len(part or b"") for part in reader.post.sent[0][1:3]) + sum(
        len(n) + len(raw or b"") for n, raw in letter
    )
    assert outcome == "buried"
    assert sent < MAX_MESSAGE_BYTES + BATCH_OVERHEAD_BYTES + DEAD_LETTER_ROOM_BYTES
    left_out = dict(letter).get("copydesk-left-out")
    assert (left_out is not None) == ("beyond" in name and len(value or b"") != MAX_MESSAGE_BYTES + 1)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory, runner: asyncio.Runner) -> Iterator[Reader]:
    with ThreadPoolExecutor(1) as executor:
        work = partial(judge, scorer=Even(), policy_of=lambda version: Policy(0.4), audit_share=0.5)
        lane = scorer_lane(Batcher(work, executor, 8))
        yield runner.run(readers(tmp_path_factory.mktemp("scorer"), [lane]))[lane.topic.name]


@given(raw=raw_messages(TITLES.name))
@MANY
def test_the_scorer(raw: Raw, scorer: Reader, runner: asyncio.Runner) -> None:
    assert runner.run(scorer.read(raw)) in ("handled", "buried")


@pytest.fixture(scope="module")
def model(runner: asyncio.Runner) -> Iterator[Model]:
    model = Model()
    yield model
    runner.run(model.engine.close())


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory, model: Model, runner: asyncio.Runner) -> Reader:
    rollout = Rollout(model.engine, None)
    runner.run(_serve(rollout, make_adapter()))
    assert rollout.serving is not None
    lane = Lane(ARTICLES, Generator(Settings(), model.engine, rollout).write)
    return runner.run(readers(tmp_path_factory.mktemp("generator"), [lane]))[lane.topic.name]


@given(raw=raw_messages(ARTICLES.name), answer=st.text(max_size=80) | ODD_TEXTS)
@MANY
def test_the_generator(raw: Raw, answer: str, model: Model, generator: Reader, runner: asyncio.Runner) -> None:
    model.says = answer
    assert runner.run(generator.read(raw)) in ("handled", "buried")


@given(
    raw=raw_messages(ADAPTERS.name),
    changes=st.dictionaries(st.sampled_from(("artefact_uri", "model_version")), ODD_TEXTS),
)
@how(MANY, max_examples=80)
def test_the_generator_s_idea_of_which_model_serves(
    raw: Raw, changes: dict[str, str], model: Model, runner: asyncio.Runner
) -> None:
    """`adapters` is read whole by every generator at every start: what it cannot bear would be the end of them all."""

    async def follow() -> None:
        rollout = Rollout(model.engine, None)
        await _deliver(ADAPTERS, raw[1], raw[2], rollout.announced)
        await _serve(rollout, make_adapter(2**70).model_copy(update=changes))

    runner.run(follow())
