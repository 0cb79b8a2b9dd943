"""The desk over HTTP: what it answers, what it refuses, and the whole way to a real broker."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Engine

from infra.database import make_engine, migrate
from infra.kafka import create_topics, read_whole
from infra.settings import Settings
from schemas.envelope import decode
from schemas.topics import CORRECTIONS, PUBLISHED
from tests.desk_seed import NOW, OTHERS, TIDE, Case, RecordingBroker, put
from tests.ground import Broker, environment_for, free_ports, wait_until
from workers.desk.app import make_app
from workers.desk.desk import Desk
from workers.desk.verdicts import Submission

BETTER = "Nine-day tide forecasts run on an office computer"
VERDICT = {
    "verdict": "corrected",
    "text": BETTER,
    "error_tags": ["too_long"],
    "curator": "Ana",
    "seconds_spent": 12.5,
    "note": "",
}
ADDRESS = f"/api/titles/{TIDE.title_id}/verdict"


@pytest.fixture
def recorder() -> RecordingBroker:
    return RecordingBroker()


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = make_engine(Settings(home=tmp_path))
    migrate(made)
    put(made, TIDE, *OTHERS)
    return made


@pytest.fixture
def client(engine: Engine, recorder: RecordingBroker) -> Iterator[TestClient]:
    app = make_app(Settings(), Desk(engine, recorder, lambda: NOW))
    with TestClient(app, base_url="http://127.0.0.1:29080") as made:
        yield made


def test_the_queue_and_a_title_carry_all_that_a_client_needs(client: TestClient) -> None:
    queue = client.get("/api/queue", params={"limit": 3}).json()
    assert (len(queue["items"]), queue["waiting"]) == (3, 7)
    first = queue["items"][0]
    assert (first["title_id"], first["headline"], first["precision"]) == (str(TIDE.title_id), TIDE.headline, 0.47)
    shown = client.get(f"/api/titles/{first['title_id']}").json()
    assert first.items() <= shown.items()
    assert (shown["text"], shown["revision"], shown["earlier_titles"]) == (TIDE.text, 1, [])


def test_a_verdict_is_answered_with_its_correction_and_repeats_are_harmless(
    client: TestClient, recorder: RecordingBroker
) -> None:
    answers = [client.post(ADDRESS, json=VERDICT) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert [topic for topic, _ in recorder.sent] == [CORRECTIONS, PUBLISHED]
    assert str(TIDE.title_id) not in client.get("/api/queue").text
    assert client.get("/api/stats").json()["judged_today"] == 1


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"text": ""}, 422, "the title is empty"),
        ({"text": "x" * 61}, 422, "61 characters, 60 are allowed"),
        ({"curator": ""}, 422, "say who you are"),
        ({"verdict": "perhaps"}, 422, "'approved', 'corrected' or 'spiked'"),
        ({"error_tags": ["boring"]}, 422, "unknown error tag"),
        ({"verdict": "approved"}, 422, "save it as a correction"),
    ],
)
def test_a_verdict_that_cannot_stand_is_refused_in_words(
    client: TestClient, recorder: RecordingBroker, change: dict[str, object], status: int, words: str
) -> None:
    answer = client.post(ADDRESS, json={**VERDICT, **change})
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert recorder.sent == []


def test_each_kind_of_trouble_has_its_status(client: TestClient, recorder: RecordingBroker) -> None:
    assert client.post(f"/api/titles/{TIDE.article_id}/verdict", json=VERDICT).status_code == 404
    assert client.get("/api/titles/not-an-id").status_code == 422
    recorder.down = True
    assert client.post(ADDRESS, json=VERDICT).status_code == 503
    recorder.down = False
    assert client.post(ADDRESS, json=VERDICT).status_code == 200
    other = client.post(ADDRESS, json={**VERDICT, "curator": "Ben"})
    assert (other.status_code, other.json()["detail"]) == (409, "Ana has already judged this title (corrected)")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "http://127.0.0.1:8000"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "rebound.example"}, 421),
        ({"Origin": "http://127.0.0.1:29080", "Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_other_web_pages_cannot_judge(
    client: TestClient, recorder: RecordingBroker, headers: dict[str, str], status: int
) -> None:
    assert client.post(ADDRESS, json=VERDICT, headers=headers).status_code == status
    assert bool(recorder.sent) == (status == 200)


def test_json_in_disguise_is_refused(client: TestClient, recorder: RecordingBroker) -> None:
    body = httpx.Request("POST", "http://127.0.0.1", json=VERDICT).content
    answer = client.post(ADDRESS, content=body, headers={"Content-Type": "text/plain"})
    assert (answer.status_code, recorder.sent) == (422, [])


def test_bodies_have_a_limit_also_when_their_length_is_not_declared(client: TestClient) -> None:
    assert client.post(ADDRESS, json={**VERDICT, "note": "x" * 100_000}).status_code == 413
    pieces = (b"x" * 10_000 for _ in range(20))
    assert client.post(ADDRESS, content=pieces, headers={"Content-Type": "application/json"}).status_code == 413


def test_hostile_titles_and_articles_are_shown_as_text(client: TestClient, engine: Engine) -> None:
    attack = "<img src=x onerror=alert(1)>\"'"
    case = Case("attack", attack, f"{attack} {attack}", attack, source=attack, url="javascript:alert(1)")
    put(engine, case)
    for address in ("/", f"/titles/{case.title_id}", f"/article/{case.article_id}", "/published"):
        page = client.get(address)
        assert page.status_code == 200
        assert "<img" not in page.text
        assert 'href="javascript' not in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_the_form_works_without_the_script_and_keeps_what_was_typed(
    client: TestClient, recorder: RecordingBroker
) -> None:
    form = {"verdict": "corrected", "text": BETTER, "error_tags": ["dull", "quoted"], "curator": "Ana Ö."}
    recorder.down = True
    page = client.post(f"/titles/{TIDE.title_id}/verdict", data=form)
    assert page.status_code == 503
    assert BETTER in page.text
    assert page.text.count("checked") >= 3  # both tags, and the keys' own switch
    recorder.down = False
    page = client.post(f"/titles/{TIDE.title_id}/verdict", data=form)
    assert page.url.params["done"] == str(TIDE.title_id)
    assert f"Corrected and published: <q>{BETTER}</q>" in page.text
    assert 'value="Ana Ö."' in page.text  # remembered in a cookie
    assert len(recorder.sent) == 2


def test_every_page_shows_something_when_there_is_nothing(tmp_path: Path, recorder: RecordingBroker) -> None:
    empty = make_engine(Settings(home=tmp_path / "empty"))
    migrate(empty)
    with TestClient(make_app(Settings(), Desk(empty, recorder, lambda: NOW)), base_url="http://localhost") as client:
        for address in ("/", "/published", "/models", "/healthz"):
            assert client.get(address).status_code == 200
        assert "The desk is clear." in client.get("/").text
        assert client.get(f"/article/{TIDE.article_id}").status_code == 404


def test_a_database_that_is_away_is_trouble_for_now(tmp_path: Path, recorder: RecordingBroker) -> None:
    bare = make_engine(Settings(home=tmp_path / "bare"))  # no tables: every query fails as it would on a lost disk
    with TestClient(make_app(Settings(), Desk(bare, recorder, lambda: NOW)), base_url="http://localhost") as client:
        assert [client.get(address).status_code for address in ("/", "/api/queue", "/healthz")] == [503, 503, 503]


def test_on_postgresql_the_queue_and_the_day_are_the_same(
    postgres_url: str, engine: Engine, recorder: RecordingBroker
) -> None:
    server = make_engine(Settings(database_url=SecretStr(postgres_url)))
    migrate(server)
    put(server, TIDE, *OTHERS)
    here, there = Desk(engine, recorder, lambda: NOW), Desk(server, recorder, lambda: NOW)
    assert there.waiting(10) == here.waiting(10)
    assert there.judge(TIDE.title_id, Submission.model_validate(VERDICT)).title_after == BETTER
    assert (there.progress().waiting, there.progress().judged_today) == (6, 1)
    server.dispose()


@contextmanager
def desk_process(settings: Settings) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """`copydesk worker desk` and a client; ended at the latest when the test ends."""
    log = settings.home / "desk.log"
    with log.open("ab") as output:
        command = [sys.executable, "-m", "copydesk", "worker", "desk"]
        process = subprocess.Popen(command, env=environment_for(settings), stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.desk_port}", timeout=60) as client:
            wait_until(lambda: _is_up(client) or process.poll() is not None, 60)
            yield process, client
    finally:
        process.kill()
        process.wait()


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def _with_desk(settings: Settings) -> Settings:
    changed = settings.model_copy(update={"desk_port": free_ports()})
    engine = make_engine(changed)
    migrate(engine)
    put(engine, TIDE, *OTHERS)
    engine.dispose()
    return changed


def test_a_verdict_is_on_the_topics_when_it_is_answered(settings: Settings) -> None:
    settings = _with_desk(settings)
    with desk_process(settings) as (process, client):
        answer = client.post(ADDRESS, json=VERDICT)
        assert answer.status_code == 200, answer.text
        corrections = [decode(record.value, record.headers) for record in read_whole(settings, CORRECTIONS.name)]
        published = [decode(record.value, record.headers) for record in read_whole(settings, PUBLISHED.name)]
        assert [envelope.event_id for envelope in corrections] == [answer.json()["correction_id"]]
        assert [envelope.event.text for envelope in published] == [BETTER]  # type: ignore[attr-defined]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_without_a_broker_the_desk_is_readable_and_takes_verdicts_once_it_is_back(own_broker: Broker) -> None:
    settings = _with_desk(own_broker.settings)
    with desk_process(settings) as (_, client):
        assert client.get("/").status_code == 200
        answer = client.post(ADDRESS, json=VERDICT)
        assert answer.status_code == 503
        assert "could not be done now" in answer.json()["detail"]
        own_broker.start()
        create_topics(settings)
        wait_until(lambda: client.post(ADDRESS, json=VERDICT).status_code == 200, 60)
        assert len(list(read_whole(settings, CORRECTIONS.name))) == 1


def test_a_taken_port_is_said_in_one_sentence(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, desk_port=free_ports())
    with desk_process(settings):
        command = [sys.executable, "-m", "copydesk", "worker", "desk"]
        second = subprocess.run(command, env=environment_for(settings), capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{settings.desk_port}" in second.stderr
    assert "COPYDESK_DESK_PORT" in second.stderr
    assert "Traceback" not in second.stderr
