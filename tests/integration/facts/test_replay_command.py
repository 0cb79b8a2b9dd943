"""`copydesk replay` on a real broker: a worker reads again; other titles for the same articles, seen by nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from copydesk.main import app
from editorial import prompts
from infra.database import make_engine, migrate
from infra.groups import GroupActive, members, move, positions
from infra.kafka import lag, make_producer, read_whole, send_acked
from infra.registry import ModelRegistry, base_identity
from infra.settings import LOOPBACK, Settings, get_settings
from schemas.envelope import encode
from schemas.errors import Invalid
from schemas.records import ModelVersionRow
from schemas.topics import ARTICLES, TITLES, TOPICS
from tests.facts import content, envelope, forget, title
from tests.ground import environment_for, free_ports, wait_until
from tests.model_server import ModelServer
from tests.samples import NOW, make_article
from workers.archivist.archive import store
from workers.archivist.projection import project

Command = Callable[..., Result]
GROUP = "copydesk.archivist"


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    yield lambda *words, **more: CliRunner().invoke(app, ["replay", *words], **more)
    get_settings.cache_clear()


def send_articles(settings: Settings, numbers: range) -> None:
    producer = make_producer(settings, "test")
    send_acked(producer, [(ARTICLES, encode(make_article(n), source="test", time=NOW)) for n in numbers])
    producer.close()


@contextmanager
def archivist(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    with (Path(settings.home) / "archivist.log").open("ab") as log:
        words = [sys.executable, "-m", "copydesk", "worker", "archivist"]
        process = subprocess.Popen(words, env=environment_for(settings), stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def caught_up(settings: Settings) -> None:
    wait_until(lambda: lag(settings, GROUP, TOPICS) == 0, 120, every_s=0.5)


@pytest.mark.timeout(400)
def test_a_worker_reads_again_from_a_moment_on_once_it_has_stopped(settings: Settings, command: Command) -> None:
    engine = make_engine(settings)
    with archivist(settings) as process:
        send_articles(settings, range(10))
        caught_up(settings)
        time.sleep(1.5)
        moment = datetime.now(UTC).isoformat()
        send_articles(settings, range(10, 30))
        caught_up(settings)
        before = content(engine)

        # not while it reads
        refused = command("--topic", "articles", "--from", moment, "--group", "archivist", "--yes")
        assert isinstance(refused.exception, GroupActive)
        assert "stop it first, nothing was moved" in str(refused.exception)
        with pytest.raises(GroupActive):
            move(settings, GROUP, ARTICLES.name, {0: 0})
        assert lag(settings, GROUP, TOPICS) == 0
        process.terminate()
        process.wait(60)

    # told first, asked, and then done
    wait_until(lambda: not members(settings, GROUP), 90, every_s=1)
    asked_for = ("--topic", "articles", "--from", moment, "--group", "archivist")
    facts = json.loads(command(*asked_for, "--dry-run", "--json").stdout)
    assert (facts["again"], facts["moved"]) == (20, False)
    assert command(*asked_for, input="n\n").exit_code == 1
    assert lag(settings, GROUP, TOPICS) == 0
    assert "reads 20 messages of articles again" in command(*asked_for, "--yes").stdout
    assert lag(settings, GROUP, [ARTICLES]) == 20

    # never forward, however often it is said
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert "Nothing to read again" in command("--topic", "articles", "--from", later, "--group", "archivist").stdout
    assert "Nothing to read again" in command(*asked_for).stdout
    assert lag(settings, GROUP, [ARTICLES]) == 20

    # what it reads again it stores again, and the rest is as it was
    forget(engine)
    with archivist(settings):
        caught_up(settings)
    after = content(engine)
    assert len(after["articles"]) == 20
    assert set(after["articles"]) < set(before["articles"])

    # one partition from an offset of its own
    wait_until(lambda: not members(settings, GROUP), 90, every_s=1)
    fullest = max(positions(settings, GROUP, ARTICLES.name), key=lambda position: position.end)
    command(
        "--topic", "articles", "--from", "1", "--partition", str(fullest.partition), "--group", "archivist", "--yes"
    )
    assert lag(settings, GROUP, TOPICS) == fullest.end - 1
    engine.dispose()


def test_what_cannot_be_done_is_refused_in_words(command: Command) -> None:
    for words, reason in [
        ("--topic titles --from start", "say which one with --group"),
        ("--topic titles --from start --group generator", "the generator does not read titles"),
        ("--topic review --from start", "has never read review"),
        ("--adapter v9 --articles ffff", "no article 'ffff'"),
    ]:
        assert reason in str(command(*words.split()).exception)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--topic titles",
        "--topic nothing --from start",
        "--topic titles --adapter v1",
        "--adapter v1",
        "--adapter v1 --articles x --from start",
        "--topic titles --from start --since 1h",
    ],
)
def test_options_that_do_not_go_together_are_a_wrong_call(words: str) -> None:
    assert CliRunner().invoke(app, ["replay", *words.split()]).exit_code == 2


def test_a_group_of_somebody_else_can_be_moved_too(settings: Settings, command: Command) -> None:
    send_articles(settings, range(10))
    ends = {position.partition: position.end for position in positions(settings, "theirs", ARTICLES.name)}
    move(settings, "theirs", ARTICLES.name, ends)
    assert "reads 10 messages" in command("--topic", "articles", "--from", "start", "--group", "theirs", "--yes").stdout
    assert lag(settings, "theirs", [ARTICLES]) == 10


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    server = ModelServer(free_ports())
    server.on()
    yield server
    server.off()


@pytest.mark.timeout(300)
def test_other_titles_are_written_judged_and_shown_and_nothing_is_published(
    settings: Settings, model_server: ModelServer, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COPYDESK_MODEL_SERVER_URL", f"http://{LOOPBACK}:{model_server.port}/v1")
    get_settings.cache_clear()
    engine = make_engine(settings)
    migrate(engine)
    articles = [make_article(number) for number in range(3)]
    for article in articles:
        store(engine, project(ARTICLES, envelope(article)))
    store(engine, project(TITLES, envelope(title(articles[0], "Harbour opens on Monday"))))
    register(ModelRegistry(engine), "v7", prompts.digest("v3"))
    before = content(engine)
    listed = tmp_path / "ids"
    listed.write_text("\n".join(str(article.article_id) for article in articles[:2]) + "\n")

    done = command("--adapter", "v7", "--articles", str(listed), "--articles", articles[2].url, "--json")
    assert done.exit_code == 0, done.exception
    told = json.loads(done.stdout)
    by_id = {one["article_id"]: one for one in told["articles"]}
    assert set(by_id) == {str(article.article_id) for article in articles}
    assert {one["new"]["text"] for one in by_id.values()} == {"v7"}, "the server answers with the model's name"
    first = by_id[str(articles[0].article_id)]
    assert (first["old"]["text"], first["old"]["model_version"]) == ("Harbour opens on Monday", "v1")
    assert first["old"]["precision"] > first["new"]["precision"]
    assert by_id[str(articles[1].article_id)]["old"] is None

    page = command("--adapter", "v7", "--since", "2020-01-01", "--limit", "2")
    assert "2 titled, 0 failed. Nothing was published." in page.stdout
    assert content(engine) == before
    assert all(list(read_whole(settings, topic.name)) == [] for topic in TOPICS)
    engine.dispose()


def test_a_version_that_was_trained_with_another_prompt_is_refused(settings: Settings, command: Command) -> None:
    engine = make_engine(settings)
    migrate(engine)
    store(engine, project(ARTICLES, envelope(make_article())))
    register(ModelRegistry(engine), "v7", "another text")
    engine.dispose()
    refused = command("--adapter", "v7", "--since", "2020-01-01")
    assert isinstance(refused.exception, Invalid)
    assert "is not the text that v7 was trained with" in str(refused.exception)


def register(registry: ModelRegistry, version: str, prompt_digest: str) -> None:
    base_model, base_revision = base_identity(Settings())
    registry.register(
        ModelVersionRow(
            version=version,
            artefact_uri=f"models/{version}",
            digest=version,
            base_model=base_model,
            base_revision=base_revision,
            dataset_hash="",
            prompt_version="v3",
            prompt_digest=prompt_digest,
            parent=None,
            config={},
            metrics={},
            created_at=NOW,
        )
    )
