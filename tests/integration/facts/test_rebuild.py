"""`copydesk archive rebuild` on real Kafka: what the real archivist made, made again, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from infra import migrations
from infra.database import make_engine, migrate
from infra.kafka import lag, make_producer, send_acked
from infra.settings import Settings
from schemas.envelope import Message, encode
from schemas.events import Event, Origin
from schemas.golden import messages
from schemas.topics import ADAPTERS, ARTICLES, CORRECTIONS, PUBLISHED, REVIEW, TITLES, TOPICS, Topic
from tests.facts import NOON, adapter, article, content, correction, scored, title
from tests.ground import environment_for, wait_until

NUMBER = 60
TO_TYPE = [sys.executable, "-m", "copydesk"]


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Empty topics, and an empty database of either kind."""
    if request.param == "sqlite":
        return settings
    address: str = request.getfixturevalue("postgres_url")
    return settings.model_copy(update={"database_url": SecretStr(address)})


@pytest.fixture
def engine(stored: Settings) -> Iterator[Engine]:
    engine = make_engine(stored)
    migrate(engine)
    yield engine
    engine.dispose()


def history() -> list[tuple[Topic, Message]]:
    """Sixty articles on their way: revisions, titles written twice, verdicts, duplicates, disorder and poison."""
    chance = random.Random(7)
    facts: list[tuple[Topic, Event, datetime]] = []
    for number in range(NUMBER):
        url = f"https://press.example/{number}"
        first = article().model_copy(update={"article_id": article().make_id(url), "canonical_url": url})
        for revision in range(1, chance.randint(1, 3) + 1):
            state = first.model_copy(update={"revision": revision, "text": f"Text {revision} of {number}."})
            when = NOON + timedelta(minutes=number, seconds=revision)
            written = title(state, f"Title {revision} of {number}")
            facts += [(ARTICLES, state, when), (TITLES, written, when)]
            facts.append(
                (TITLES, title(state, f"Another try at {number}"), when + timedelta(seconds=chance.randint(0, 1)))
            )
            verdict = correction(written)
            judged = scored(written, precision=chance.random())
            if chance.random() < 0.5:
                facts += [(PUBLISHED, judged, when)]
            else:
                by_person = {"origin": Origin.curator, "verdict": "corrected", "text": verdict.title_after}
                facts += [(REVIEW, judged.model_copy(update={"review_reasons": ("dull",)}), when)]
                facts += [(CORRECTIONS, verdict, when)]
                facts += [(PUBLISHED, scored(written, **by_person, correction_id=verdict.correction_id), when)]
    facts += [(ADAPTERS, adapter(sequence), NOON) for sequence in range(1, 6)]
    facts += chance.sample(facts, len(facts) // 3)
    chance.shuffle(facts)
    sent = [(topic, encode(event, source="test", time=when)) for topic, event, when in facts]
    for topic in TOPICS:
        sent.append((topic, Message(b"k", b"<rss/>", sent[0][1].headers)))
        sent += [(topic, Message(one.key.encode(), one.wire_value, one.wire_headers)) for one in messages(topic)]
    chance.shuffle(sent)
    return sent


def send(settings: Settings, pairs: list[tuple[Topic, Message]]) -> None:
    producer = make_producer(settings, "test")
    try:
        send_acked(producer, pairs)
    finally:
        producer.close()


@contextmanager
def archivist(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    with (Path(settings.home) / "archivist.log").open("ab") as output:
        process = subprocess.Popen(
            [*TO_TYPE, "worker", "archivist"], env=environment_for(settings), stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def caught_up(settings: Settings) -> None:
    wait_until(lambda: lag(settings, "copydesk.archivist", TOPICS) == 0, 120, every_s=0.5)


def rebuild(settings: Settings, *options: str) -> subprocess.CompletedProcess[str]:
    command = [*TO_TYPE, "archive", "rebuild", *options]
    return subprocess.run(command, env=environment_for(settings), capture_output=True, text=True, timeout=240)


@pytest.mark.timeout(600)
def test_the_database_dropped_and_made_again_has_the_same_content(stored: Settings, engine: Engine) -> None:
    send(stored, history())
    with archivist(stored):
        caught_up(stored)
        before = content(engine)
        assert min(len(rows) for rows in before.values()) >= 5
        assert len(before["articles"]) > NUMBER

        # dropped: every table is gone
        with engine.begin() as connection:
            migrations.downgrade(connection)
        done = rebuild(stored, "--yes", "--json")
        assert done.returncode == 0, done.stderr
        assert content(engine) == before
        parts = json.loads(done.stdout)["parts"]
        assert {name: rows for part in parts for name, rows in part["after"].items()} == {
            name: len(rows) for name, rows in before.items()
        }
        assert sum(part["without_rows"] for part in parts) == len(TOPICS), "the poison, and nothing else"

        # tampered with, while the archivist goes on reading
        with engine.begin() as connection:
            connection.execute(text("UPDATE titles SET text = 'hacked', written_at = '2099-01-01 00:00:00'"))
            connection.execute(text("DELETE FROM publications"))
            connection.execute(text("DELETE FROM articles WHERE revision = 1"))
        late = article(1, "Arrived while the tables were made again.")
        send(stored, [(ARTICLES, encode(late, source="test", time=NOON))])
        done = rebuild(stored, "--yes")
        assert done.returncode == 0, done.stderr
        assert "emptied and filled again" in done.stdout
        caught_up(stored)
    after = content(engine)
    newcomers = [row for row in after["articles"] if "Arrived while" in row]
    after["articles"] = [row for row in after["articles"] if row not in newcomers]
    assert (after, len(newcomers)) == (before, 1)


@pytest.mark.timeout(300)
def test_rows_that_no_event_made_are_gone_except_where_the_topic_forgets(stored: Settings, engine: Engine) -> None:
    send(stored, history())
    with archivist(stored):
        caught_up(stored)
    with engine.begin() as connection:  # a row that no event made
        connection.execute(text("UPDATE corrections SET curator = 'ben'"))
        connection.execute(
            text(
                "INSERT INTO adapters (alias, sequence, model_version, prompt_version, gate_verdict, actor, reason,"
                " previous_version, decided_at) SELECT alias, 99, model_version, prompt_version, gate_verdict, actor,"
                " reason, previous_version, decided_at FROM adapters WHERE sequence = 2 AND alias = 'champion'"
            )
        )
    before = content(engine)
    plan = rebuild(stored, "--dry-run", "--json")
    how = {next(iter(part["tables"])): part["why_not"] for part in json.loads(plan.stdout)}
    assert how["adapters"] == "adapters keeps only the newest"
    assert content(engine) == before, "a dry run changes nothing"
    asked = rebuild(stored)
    assert asked.returncode == 1
    assert content(engine) == before, "nobody said yes"
    assert rebuild(stored, "--yes").returncode == 0
    assert len(content(engine)["adapters"]) == len(before["adapters"]), "a compacted topic has forgotten: kept"
    assert "ben" not in str(content(engine)["corrections"])
