from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from editorial import prompts
from infra.artefacts import MANIFEST, tokens_digest
from infra.registry import base_identity
from infra.settings import Settings
from schemas.envelope import Envelope
from schemas.errors import Invalid, Transient, Unavailable
from schemas.events import Adapter, Event, Title
from schemas.topics import TITLES, Topic
from tests.samples import NOW, make_adapter, make_article
from workers.generator import rollout as rollout_module
from workers.generator.admission import base_here, objection, server_path
from workers.generator.engine import Answer, Engine, LoadRefused, TooLong, UnknownModel
from workers.generator.rollout import Rollout, newer
from workers.generator.worker import Generator

BASE = base_identity(Settings())


@dataclass
class Server(Engine):
    """A model server in the process: its models, and what goes wrong next."""

    names: set[str] = field(default_factory=set)
    prompts: list[str] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    text: str = 'Title: "Harbour opens"\n'
    tokens: tuple[int, ...] | None = None
    texts: list[str] = field(default_factory=list)
    later_trouble: list[Exception] = field(default_factory=list)
    context: int = 10_000

    async def load(self, name: str, path: str, digest: str = "") -> None:
        if name in self.broken:
            raise LoadRefused(f"{path} is broken")
        self.names.add(name)

    async def unload(self, name: str) -> None:
        self.names.discard(name)

    async def tokenize(self, model: str, message: str) -> tuple[int, ...] | None:
        return self.tokens

    async def complete(self, model: str, prompt: str) -> Answer:
        if self.trouble:
            raise self.trouble.pop(0)
        if model not in self.names:
            raise UnknownModel(model)
        if len(prompt) > self.context:
            raise TooLong("context length")
        if self.prompts and self.later_trouble:
            raise self.later_trouble.pop(0)
        self.prompts.append(prompt)
        return Answer(
            text=self.texts.pop(0) if self.texts else self.text, input_tokens=1000, output_tokens=10, seconds=0.5
        )


@dataclass
class Outbox:
    """Keeps what is sent."""

    sent: list[tuple[Topic, Event]] = field(default_factory=list)

    async def send(self, topic: Topic, event: Event) -> None:
        self.sent.append((topic, event))

    @property
    def titles(self) -> list[Title]:
        return [event for _, event in self.sent if isinstance(event, Title)]


def envelope(event: Event) -> Envelope:
    return Envelope(event=event, event_id=str(event.event_id), source="/test", time=NOW, traceparent="")


@asynccontextmanager
async def converging(rollout: Rollout) -> AsyncIterator[None]:
    task = asyncio.create_task(rollout.converge())
    yield
    task.cancel()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout_module, "RETRY_S", 0.0)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def rollout(server: Server) -> Rollout:
    return Rollout(server, BASE, linger_s=0.0)


async def serve(rollout: Rollout, *adapters: Adapter) -> None:
    for adapter in adapters:
        await rollout.announced(envelope(adapter))
    rollout.current()
    await settle()


# --- the rollout ----------------------------------------------------------------------------------------------------


async def test_nothing_serves_before_an_adapter_is_announced(rollout: Rollout) -> None:
    async with converging(rollout):
        await serve(rollout)
        with pytest.raises(Unavailable), rollout.lease():
            pass


async def test_history_is_not_replayed_only_the_newest_adapter_is_loaded(rollout: Rollout, server: Server) -> None:
    async with converging(rollout):
        await rollout.announced(envelope(make_adapter(1)))
        await settle()
        assert server.names == set()
        await serve(rollout, make_adapter(2), make_adapter(3), make_adapter(2))
    assert server.names == {"v3"}


async def test_a_running_title_keeps_its_version_and_the_old_one_goes_when_it_is_done(
    rollout: Rollout, server: Server
) -> None:
    async with converging(rollout):
        await serve(rollout, make_adapter(1))
        with rollout.lease() as running:
            await serve(rollout, make_adapter(2))
            with rollout.lease() as fresh:
                assert (running.model_version, fresh.model_version) == ("v1", "v2")
            assert server.names == {"v1", "v2"}
        await settle()
        assert server.names == {"v2"}


async def test_a_version_that_cannot_be_loaded_leaves_the_old_one_serving(rollout: Rollout, server: Server) -> None:
    async with converging(rollout):
        await serve(rollout, make_adapter(1))
        server.broken = {"v2"}
        await serve(rollout, make_adapter(2))
        assert rollout.serving == make_adapter(1)
        server.broken = set()
        await settle()
        assert rollout.serving == make_adapter(2)


async def test_a_rollback_brings_the_old_version_back(rollout: Rollout, server: Server) -> None:
    async with converging(rollout):
        await serve(rollout, make_adapter(1))
        await serve(rollout, make_adapter(2))
        await serve(rollout, make_adapter(3, version="v1"))
        assert rollout.serving is not None
        assert (rollout.serving.model_version, "v1" in server.names) == ("v1", True)


def test_only_a_newer_champion_changes_what_is_wanted() -> None:
    assert newer(None, make_adapter(1))
    assert newer(make_adapter(1), make_adapter(2))
    assert not newer(make_adapter(2), make_adapter(1))
    assert not newer(make_adapter(2), make_adapter(2))
    assert not newer(None, make_adapter(1, alias="challenger"))


def test_an_adapter_trained_with_another_prompt_must_not_serve() -> None:
    assert objection(make_adapter(), BASE) is None
    assert "not the text" in (objection(make_adapter(prompt_digest="0" * 64), BASE) or "")
    assert "not known" in (objection(make_adapter(prompt_version="v99"), BASE) or "")


def test_an_adapter_of_another_base_must_not_serve(tmp_path: Path) -> None:
    assert "COPYDESK_BASE_MODEL" in (objection(make_adapter(), ("another", "main")) or "")
    assert objection(make_adapter(), base_here(Settings())) is None
    assert objection(make_adapter(), base_here(Settings(base_model="/models/on-the-gpu-machine"))) is None
    other = Settings(base_model="HuggingFaceH4/zephyr-7b-beta")
    assert "zephyr" in (objection(make_adapter(), base_here(other)) or "")


@pytest.mark.parametrize(("tokens", "serves"), [((1, 2, 3), True), ((1, 2), False), (None, True)])
async def test_a_server_with_another_tokenizer_or_chat_template_does_not_get_the_version(
    server: Server, tmp_path: Path, tokens: tuple[int, ...] | None, serves: bool
) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps({"sample_digest": tokens_digest((1, 2, 3))}))
    server.tokens = tokens  # None: a hosted model, which does not say
    rollout = Rollout(server, BASE, linger_s=0.0)
    async with converging(rollout):
        await serve(rollout, make_adapter(1, artefact_uri=tmp_path.as_uri()))
    assert (rollout.serving is not None) == serves


async def test_a_version_writes_golden_titles_before_it_takes_over(server: Server) -> None:
    rollout = Rollout(server, BASE, ["The harbour opens.", "The bridge closes."], linger_s=0.0)
    async with converging(rollout):
        await serve(rollout, make_adapter(1))
        assert len(server.prompts) == 2
        server.text = " \n"
        await serve(rollout, make_adapter(2))
        assert rollout.serving == make_adapter(1)
        server.text, server.trouble = "Bridge closes", [Transient("a bad moment")]
        await settle()
    assert rollout.serving == make_adapter(2)


@pytest.mark.parametrize(("context", "serves"), [(300, True), (10, False)])
async def test_a_model_of_small_context_warms_up_on_the_beginning_of_an_article(
    server: Server, context: int, serves: bool
) -> None:
    server.context = context
    rollout = Rollout(server, BASE, ["The harbour opens. " * 100], linger_s=0.0)
    async with converging(rollout):
        await serve(rollout, make_adapter(1))
    assert (rollout.serving is not None) == serves


def canary(sequence: int, version: str, share: float = 0.25) -> Adapter:
    return make_adapter(sequence, version=version, alias="canary").model_copy(update={"share": share})


def writers(rollout: Rollout) -> list[str]:
    found = []
    for number in range(400):
        with rollout.lease(make_article(number).article_id) as adapter:
            found.append(adapter.model_version)
    return found


async def test_a_canary_writes_its_share_and_every_generator_gives_it_the_same_articles(server: Server) -> None:
    first, second = [Rollout(server, BASE, linger_s=0.0) for _ in range(2)]
    async with converging(first), converging(second):
        await serve(first, make_adapter(1), canary(1, "v2"))
        await serve(second, canary(1, "v2"), make_adapter(1))
    assert writers(first) == writers(second)
    assert 70 <= writers(first).count("v2") <= 130
    with first.lease() as adapter:
        assert adapter.model_version == "v1"


async def test_a_canary_that_is_sent_back_writes_nothing_more_and_is_unloaded(rollout: Rollout, server: Server) -> None:
    async with converging(rollout):
        await serve(rollout, make_adapter(1), canary(1, "v2"), canary(2, "v1"))
        await serve(rollout, canary(1, "v2"))  # late: the topic holds the newer one
        assert set(writers(rollout)) == {"v1"}
        assert server.names == {"v1"}


async def test_a_canary_that_becomes_champion_writes_all(rollout: Rollout, server: Server) -> None:
    async with converging(rollout):
        await serve(rollout, make_adapter(1), canary(1, "v2"))
        await serve(rollout, make_adapter(2))
        assert set(writers(rollout)) == {"v2"}
        assert server.names == {"v2"}


async def test_a_champion_chosen_after_the_canary_ends_it_before_the_retrainer_says_so(
    rollout: Rollout, server: Server
) -> None:
    def decided(adapter: Adapter, minute: int) -> Adapter:
        return adapter.model_copy(update={"decided_at": NOW + timedelta(minutes=minute)})

    tried = decided(canary(1, "v2", share=0.5), 1)
    async with converging(rollout):
        await serve(rollout, decided(make_adapter(1), 0), tried)
        assert set(writers(rollout)) == {"v1", "v2"}
        await serve(rollout, decided(make_adapter(2), 2), decided(make_adapter(3, version="v1"), 3))
        assert set(writers(rollout)) == {"v1"}, "rolled back: the old canary writes nothing"
        await serve(rollout, tried)  # late
        assert set(writers(rollout)) == {"v1"}


async def test_a_canary_that_cannot_be_loaded_leaves_all_to_the_champion(rollout: Rollout, server: Server) -> None:
    server.broken = {"v2"}
    async with converging(rollout):
        await serve(rollout, make_adapter(1), canary(1, "v2"))
    assert set(writers(rollout)) == {"v1"}


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///data/my%20models/v2", "/data/my models/v2"),
        ("/data/models/v2", "/data/models/v2"),
        ("hf://someone/adapter", "hf://someone/adapter"),
    ],
)
def test_the_model_server_is_given_a_path(uri: str, path: str) -> None:
    assert server_path(uri) == path


# --- the generator --------------------------------------------------------------------------------------------------


@pytest.fixture
async def generator(rollout: Rollout, server: Server) -> AsyncIterator[Generator]:
    settings = Settings(usd_per_million_input_tokens=2.0, usd_per_million_output_tokens=10.0, max_article_tokens=100)
    async with converging(rollout):
        await serve(rollout, make_adapter(1))
        yield Generator(settings, server, rollout)


async def test_an_article_becomes_a_title_that_says_how_it_came_about(generator: Generator, server: Server) -> None:
    article, outbox = make_article(), Outbox()
    await generator.write(envelope(article), outbox)
    [(topic, title)] = outbox.sent
    assert topic is TITLES
    assert isinstance(title, Title)
    assert (title.text, title.raw, title.article) == ('"Harbour opens"', server.text, article)
    assert (title.model_version, title.prompt_version, title.base_model) == ("v1", "v3", BASE[0])
    assert (title.attempts, title.input_tokens) == (1, 1000)
    assert title.cost_usd == pytest.approx(0.0021)
    assert server.prompts == [prompts.render("v3", article.text)]


async def test_the_same_article_twice_is_the_same_title(generator: Generator) -> None:
    outbox = Outbox()
    await generator.write(envelope(make_article()), outbox)
    await generator.write(envelope(make_article()), outbox)
    assert outbox.titles[0].event_id == outbox.titles[1].event_id


async def test_an_empty_title_goes_on(generator: Generator, server: Server) -> None:
    server.text, outbox = " \n", Outbox()
    await generator.write(envelope(make_article()), outbox)
    assert outbox.titles[0].text == ""


async def test_an_article_of_two_megabytes_is_cut(generator: Generator, server: Server) -> None:
    outbox = Outbox()
    await generator.write(envelope(make_article(text="A harbour opens today. " * 90_000)), outbox)
    assert len(server.prompts[0]) < 2000
    assert outbox.titles[0].article.text.startswith("A harbour opens today.")


async def test_an_article_that_is_still_too_long_for_the_model_is_cut_shorter(
    generator: Generator, server: Server
) -> None:
    server.context, outbox = 200, Outbox()
    await generator.write(envelope(make_article(text="A harbour opens today. " * 100)), outbox)
    assert len(outbox.titles) == 1


async def test_a_prompt_that_never_fits_is_invalid(generator: Generator, server: Server) -> None:
    server.context = 10
    with pytest.raises(Invalid):
        await generator.write(envelope(make_article(text="A harbour opens today. " * 100)), Outbox())


async def test_a_title_counts_the_requests_it_took(generator: Generator, server: Server) -> None:
    server.trouble, outbox = [Transient("nonsense"), Unavailable("away")], Outbox()
    for _ in range(2):
        with pytest.raises(Transient):
            await generator.write(envelope(make_article()), outbox)
    await generator.write(envelope(make_article()), outbox)
    await generator.write(envelope(make_article(2)), outbox)
    assert [title.attempts for title in outbox.titles] == [3, 1]


async def test_the_same_article_twice_at_the_same_time_gives_two_titles_with_one_id() -> None:
    may_end = [asyncio.Event(), asyncio.Event()]

    class Staggered(Server):
        async def complete(self, model: str, prompt: str) -> Answer:
            answer = await super().complete(model, prompt)
            await may_end[len(self.prompts) - 1].wait()
            return answer

    server, outbox = Staggered(), Outbox()
    rollout = Rollout(server, BASE, linger_s=0.0)
    async with converging(rollout):
        await serve(rollout, make_adapter())
        generator = Generator(Settings(), server, rollout)
        writing = [asyncio.create_task(generator.write(envelope(make_article()), outbox)) for _ in range(2)]
        for event in may_end:
            await settle()
            event.set()
        await asyncio.gather(*writing)
    assert len({title.event_id for title in outbox.titles}) == 1
    assert len(outbox.titles) == 2


async def untuned(server: Server, **changes: object) -> Title:
    """The title of the harbour's article by a model that is told the house rules."""
    adapter, outbox = make_adapter(prompt_version="v2", prompt_digest=prompts.digest("v2")), Outbox()
    rollout = Rollout(server, BASE, linger_s=0.0)
    async with converging(rollout):
        await serve(rollout, adapter)
        await Generator(Settings.model_validate(changes), server, rollout).write(envelope(make_article()), outbox)
    return outbox.titles[0]


async def test_a_title_that_breaks_a_house_rule_is_asked_for_once_more(server: Server) -> None:
    server.texts = ['Harbour opens "soon"', "Harbour opens on Monday"]
    title = await untuned(server)
    assert (title.text, title.raw, title.attempts) == ("Harbour opens on Monday", "Harbour opens on Monday", 2)
    assert (title.input_tokens, title.output_tokens, title.latency_seconds) == (2000, 20, 1.0)
    first, second = server.prompts
    assert second.startswith(first)
    assert 'Harbour opens "soon"' in second
    assert "quotation" in second


async def test_a_second_title_that_is_no_better_leaves_the_first(server: Server) -> None:
    server.texts = ['Harbour opens "soon"', 'Harbour opens "today"']
    title = await untuned(server)
    assert (title.text, title.attempts) == ('Harbour opens "soon"', 2)


@pytest.mark.parametrize("second", ["", "<think>Well", "I cannot help with that."])
async def test_a_second_answer_that_is_no_title_leaves_a_first_with_two_faults(server: Server, second: str) -> None:
    server.texts = ['Harbour "soon" opens its TTS', second]
    assert (await untuned(server)).text == 'Harbour "soon" opens its TTS'


async def test_a_second_try_that_fails_leaves_the_first_title(server: Server) -> None:
    server.texts, server.later_trouble = ['Harbour opens "soon"'], [Unavailable("away")]
    title = await untuned(server)
    assert (title.text, title.attempts, title.input_tokens) == ('Harbour opens "soon"', 2, 1000)


async def test_a_good_title_a_tuned_model_and_a_newsroom_that_does_not_want_it_get_no_second_try(
    server: Server, generator: Generator
) -> None:
    server.texts = ["Harbour opens on Monday"]
    assert (await untuned(server)).attempts == 1
    server.texts, outbox = ['Harbour opens "soon"'], Outbox()
    await generator.write(envelope(make_article()), outbox)
    assert outbox.titles[0].attempts == 1
    server.texts = ['Harbour opens "soon"']
    assert (await untuned(server, firmer_retry=False)).attempts == 1
    server.texts = ['Harbour opens "soon"']
    assert (await untuned(server, model_timeout_s=1.0)).attempts == 1, "there would be no time for it"


async def test_a_server_that_was_restarted_gets_its_adapter_back(generator: Generator, server: Server) -> None:
    server.names.clear()
    outbox = Outbox()
    with pytest.raises(Unavailable, match="loaded again"):
        await generator.write(envelope(make_article()), outbox)
    await generator.write(envelope(make_article()), outbox)
    assert len(outbox.titles) == 1
