"""The archivist as it runs: a process of its own, real Kafka, and messages that are not what they should be."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlmodel import Session, func, select

from infra.database import make_engine, migrate
from infra.kafka import make_producer, read_whole, send_acked
from infra.settings import Settings
from schemas.envelope import Message
from schemas.golden import messages
from schemas.records import AdapterRow, ArticleRow, CorrectionRow, PublicationRow, ScoreRow, TitleRow
from schemas.topics import ARTICLES, TOPICS, Topic
from tests.ground import environment_for, wait_until

# of the golden articles one comes twice, once from a newer writer
EXPECTED = {ArticleRow: 4, TitleRow: 4, ScoreRow: 4, CorrectionRow: 3, PublicationRow: 3, AdapterRow: 4}


@contextmanager
def archivist(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """The worker's process, ended at the latest when the test ends."""
    log = Path(settings.home) / "archivist.log"
    with log.open("ab") as output:
        command = [sys.executable, "-m", "copydesk", "worker", "archivist"]
        process = subprocess.Popen(command, env=environment_for(settings), stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def golden_messages() -> list[tuple[Topic, Message]]:
    return [
        (topic, Message(golden.key.encode(), golden.wire_value, golden.wire_headers))
        for topic in TOPICS
        for golden in messages(topic)
    ]


def send(settings: Settings, pairs: list[tuple[Topic, Message]]) -> None:
    producer = make_producer(settings, "test")
    try:
        send_acked(producer, pairs)
    finally:
        producer.close()


def archived(settings: Settings) -> Callable[[], bool]:
    """True once the tables hold what the golden messages leave in them."""
    engine = make_engine(settings)
    migrate(engine)

    def is_complete() -> bool:
        with Session(engine) as session:
            counts = {table: session.exec(select(func.count()).select_from(table)).one() for table in EXPECTED}
        return counts == EXPECTED

    return is_complete


def test_every_topic_ends_in_the_tables_and_poison_in_the_dead_letters(settings: Settings) -> None:
    poison = Message(b"k", b"<rss/>", golden_messages()[0][1].headers)
    misplaced = next(message for topic, message in golden_messages() if topic.name == "adapters")
    send(settings, [(ARTICLES, poison), (ARTICLES, misplaced), *golden_messages()])
    with archivist(settings) as process:
        wait_until(archived(settings), 90)
        letters = wait_until(lambda: _at_least(2, settings, ARTICLES.dead_letters), 60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert set(letters) == {poison.value, misplaced.value}


def test_killed_while_it_reads_it_goes_on_and_the_rows_are_the_same(settings: Settings) -> None:
    with archivist(settings) as process:
        send(settings, golden_messages()[:6])
        wait_until(lambda: _articles(settings) > 0, 90)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    send(settings, golden_messages())  # all again: the first six come twice
    with archivist(settings):
        wait_until(archived(settings), 90)


def _articles(settings: Settings) -> int:
    engine = make_engine(settings)
    migrate(engine)
    with Session(engine) as session:
        count = session.exec(select(func.count()).select_from(ArticleRow)).one()
    engine.dispose()
    return count


def _at_least(count: int, settings: Settings, topic: str) -> list[bytes | None]:
    values = [record.value for record in read_whole(settings, topic)]
    return values if len(values) >= count else []
