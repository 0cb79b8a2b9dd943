"""The generator and the model server as processes on a real broker, killed while a new version takes over."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from editorial import prompts
from editorial.cut import cut
from infra.kafka import lag, make_producer, read_whole, send_acked
from infra.newsroom.stories import write_story
from infra.registry import digest_folder
from infra.settings import Settings
from schemas.envelope import decode, encode
from schemas.events import Event, Title
from schemas.topics import ADAPTERS, ARTICLES, TITLES, Topic
from tests.engines import KINDS, ServerProcess
from tests.ground import environment_for, wait_until
from tests.integration.engines.test_engine_contract import engine, loaded
from tests.samples import NOW, make_adapter, make_article

PATIENCE_S = 240
A_FEW = 12


class Desk:
    """The generator as a process that can be killed, its broker and what it has written."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sent = 0
        self._producer = make_producer(settings, "test")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "copydesk", "worker", "generator"]
        self._process = subprocess.Popen(command, env=environment_for(self.settings))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        self.kill()
        self._producer.close()

    def send(self, topic: Topic, events: list[Event]) -> None:
        send_acked(self._producer, [(topic, encode(event, source="test", time=NOW)) for event in events])

    def articles(self, count: int) -> None:
        """Send so many new articles."""
        numbers = range(self.sent, self.sent + count)
        self.send(ARTICLES, [make_article(number, text=write_story(5, number).text) for number in numbers])
        self.sent += count

    def announce(self, sequence: int, folder: Path) -> None:
        """Make the adapter in the folder the champion."""
        announced = make_adapter(sequence, artefact_uri=folder.as_uri())
        self.send(ADAPTERS, [announced.model_copy(update={"digest": digest_folder(folder)})])

    def titles(self) -> list[Title]:
        events = [decode(record.value, record.headers).event for record in read_whole(self.settings, TITLES.name)]
        return [event for event in events if isinstance(event, Title)]

    def versions(self) -> set[str]:
        return {title.model_version for title in self.titles()}

    def all_written(self) -> bool:
        return lag(self.settings, "copydesk.generator", [ARTICLES]) == 0


@pytest.fixture
def model_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(request.param, tmp_path / "server.log")
    process.start()
    yield process
    process.kill()


@pytest.fixture
def desk(settings: Settings, model_server: ServerProcess) -> Iterator[Desk]:
    changes = {"model_server_url": model_server.url, "max_title_tokens": 24}
    made = Desk(settings.model_copy(update=changes))
    yield made
    made.close()


LONG = {"vllm": [pytest.mark.long]}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "model_server", [pytest.param(kind, marks=LONG.get(kind, [])) for kind in KINDS], indirect=True
)
async def test_a_kill_in_the_middle_of_a_swap_loses_no_title_and_mislabels_none(
    desk: Desk, model_server: ServerProcess, adapters: tuple[Path, Path]
) -> None:
    desk.announce(1, adapters[0])
    desk.articles(A_FEW)
    desk.start()
    wait_until(lambda: len(desk.titles()) >= A_FEW // 2, PATIENCE_S, every_s=0.5)

    desk.announce(2, adapters[1])  # the generator dies while the next version takes over
    desk.articles(A_FEW)
    desk.kill()
    desk.start()
    wait_until(lambda: "v2" in desk.versions(), PATIENCE_S, every_s=0.5)

    desk.announce(3, adapters[0])  # the server dies while the next version takes over
    desk.articles(A_FEW)
    model_server.kill()
    model_server.start()
    wait_until(desk.all_written, PATIENCE_S, every_s=0.5)
    desk.articles(A_FEW)
    wait_until(desk.all_written, PATIENCE_S, every_s=0.5)

    written = desk.titles()
    assert {title.article.article_id for title in written} == {
        make_article(number).article_id for number in range(desk.sent)
    }
    newest = {make_article(number).article_id for number in range(desk.sent - A_FEW, desk.sent)}
    assert {title.model_version for title in written if title.article.article_id in newest} == {"v3"}
    assert list(read_whole(desk.settings, ARTICLES.dead_letters)) == []
    desk.kill()
    mislabelled = []
    async with engine(model_server.url, max_title_tokens=24) as client:
        for version, folder in (("v1", adapters[0]), ("v2", adapters[1]), ("v3", adapters[0])):
            async with loaded(client, f"{version}-again", folder):
                for title in (title for title in written if title.model_version == version):
                    prompt = prompts.render("v3", cut(title.article.text, desk.settings.max_article_tokens))
                    own = (await client.complete(f"{version}-again", prompt)).text
                    mislabelled += [] if own == title.raw else [(version, own, title.raw)]
    print(f"{model_server.kind}: {len(written)} titles of {desk.sent} articles, {len(mislabelled)} mislabelled")
    assert not mislabelled
