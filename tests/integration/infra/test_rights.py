"""The rights that docs/secure.md lists are enough for every worker, and one right less is told clearly.

On a real broker with Kafka's own authorizer; the list is read from the document itself.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kafka.admin import ACLOperation, ResourceType
from sqlmodel import Session, func, select

from infra.database import make_engine, migrate
from infra.kafka import create_topics, lag, make_producer, read_whole, send_acked
from infra.settings import LOOPBACK, Settings
from schemas.envelope import Message, encode
from schemas.events import Event
from schemas.records import ArticleRow, CorrectionRow
from schemas.topics import ADAPTERS, ARTICLES, CORRECTIONS, PUBLISHED, REVIEW, TITLES, TOPICS, Topic
from tests.chaos.processes import Program, Supervisor
from tests.facts import NOON, article, correction, scored, title
from tests.ground import environment_for, free_ports, wait_until
from tests.model_server import ModelServer
from tests.samples import NOW, make_article
from tests.secure_broker import Right, SecureBroker
from workers.desk.post import Post
from workers.ending import EX_SOFTWARE
from workers.scraper.worker import Acknowledged

PATIENCE_S = 180
ENDS_WITHIN_S = 45
ARTICLES_SENT = 5
pytestmark = pytest.mark.timeout(400)
DESCRIBE_ALL = [
    (ACLOperation.DESCRIBE, ResourceType.TOPIC, name) for topic in TOPICS for name in (topic.name, topic.dead_letters)
]
PROCESSES = {"generator", "scorer", "archivist", "retrainer"}
READS = {"generator": [ARTICLES], "scorer": [TITLES], "archivist": [*TOPICS]}


def listed() -> dict[str, list[Right]]:
    """By user the rights in the document's table; describe for those that the sentence below it names."""
    found: dict[str, list[Right]] = {}
    for line in Path("docs/secure.md").read_text().split("## Rights in Kafka")[1].splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[0].isalpha():
            reads, writes, groups = (re.findall(r"`(.+?)`", cell) for cell in cells[1:])
            found[cells[0]] = [
                *((ACLOperation.READ, ResourceType.TOPIC, name) for name in reads),
                *((ACLOperation.WRITE, ResourceType.TOPIC, name) for name in writes),
                *((ACLOperation.READ, ResourceType.GROUP, name) for name in groups),
                *(DESCRIBE_ALL if cells[0] in PROCESSES else []),
            ]
    return found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    broker = SecureBroker(tmp_path_factory.mktemp("guarded"), guarded=True)
    try:
        broker.start()
        create_topics(broker.own)
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def processes() -> Iterator[Supervisor]:
    supervisor = Supervisor()
    yield supervisor
    supervisor.kill()


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    server = ModelServer(free_ports())
    server.on()
    yield server
    server.off()


def events(settings: Settings, *topics: Topic) -> int:
    return sum(1 for topic in topics for _ in read_whole(settings, topic.name))


def send(settings: Settings, topic: Topic, *messages: Message) -> None:
    producer = make_producer(settings, "test")
    send_acked(producer, [(topic, message) for message in messages])
    producer.close()


def test_every_worker_does_its_work_with_the_rights_that_are_listed_for_it(
    guarded: SecureBroker, processes: Supervisor, model_server: ModelServer, tmp_path: Path
) -> None:
    rights = listed()
    assert set(rights) == {"scraper", "desk", *PROCESSES}
    for name, some in rights.items():
        guarded.add_user(name)
        guarded.allow(name, some)
    address = f"http://{LOOPBACK}:{model_server.port}/v1"

    def settings_of(name: str) -> Settings:
        return guarded.sasl_ssl(tmp_path, kafka_username=name, model_server_url=address)

    engine = make_engine(settings_of("archivist"))
    migrate(engine)
    for name in sorted(PROCESSES):
        command = [sys.executable, "-m", "copydesk", "worker", name]
        processes.add(Program(name, command, environment_for(settings_of(name)), tmp_path))
    wait_until(lambda: events(guarded.own, ADAPTERS) == 1, PATIENCE_S)
    scraper, desk = Acknowledged(settings_of("scraper")), Post(settings_of("desk"))
    sent = [encode(make_article(number), source="test", time=NOW) for number in range(ARTICLES_SENT)]
    scraper([(ARTICLES, message) for message in sent])
    verdict: list[tuple[Topic, Event]] = [
        (CORRECTIONS, correction(title(article()))),
        (PUBLISHED, scored(title(article()))),
    ]
    desk([(topic, encode(event, source="test", time=NOON)) for topic, event in verdict])
    scraper.close()
    desk.close()
    for topic in TOPICS:  # one that nobody can read, on each: it takes the right to bury it
        send(guarded.own, topic, Message(key=b"k", value=b"{broken", headers=()))

    def all_done() -> bool:
        return all(lag(guarded.own, f"copydesk.{name}", topics) == 0 for name, topics in READS.items())

    out = ARTICLES_SENT + 1 + 2  # one from the desk, and two that cannot be read
    wait_until(lambda: events(guarded.own, PUBLISHED, REVIEW) == out and all_done(), PATIENCE_S, every_s=0.5)
    readers = {topic: sum(topic in topics for topics in READS.values()) for topic in TOPICS}
    for topic in TOPICS:
        assert len(list(read_whole(guarded.own, topic.dead_letters))) == readers[topic], topic.name
    with Session(engine) as session:
        assert session.exec(select(func.count()).select_from(ArticleRow)).one() == ARTICLES_SENT
        assert session.exec(select(func.count()).select_from(CorrectionRow)).one() == 1
    processes.stop(processes.programs)
    assert {(end.name, end.status) for end in processes.exits} == {(name, 0) for name in PROCESSES}
    engine.dispose()


NEEDED: list[Right] = [
    (ACLOperation.READ, ResourceType.TOPIC, "articles"),
    (ACLOperation.WRITE, ResourceType.TOPIC, "published"),
    (ACLOperation.WRITE, ResourceType.TOPIC, "articles-dlt"),
    (ACLOperation.READ, ResourceType.GROUP, "copydesk.willing"),
]


@dataclass
class Willing:
    """A stream worker that needs `NEEDED`, with all of that but one right."""

    broker: SecureBroker
    home: Path
    count: int = 0

    def start(self, rights: list[Right]) -> tuple[subprocess.Popen[bytes], Path]:
        self.count += 1
        name, log = f"willing-{self.count}", self.home / f"{self.count}.log"
        self.broker.add_user(name)
        self.broker.allow(name, rights)
        settings = self.broker.sasl_ssl(self.home, kafka_username=name)
        broken = Message(key=b"k", value=b"{broken", headers=())
        send(self.broker.own, ARTICLES, encode(make_article(100 + self.count), source="test", time=NOW), broken)
        command = [sys.executable, "tests/integration/workers/willing_worker.py"]
        with log.open("wb") as file:
            environment = environment_for(settings) | {"PYTHONPATH": "."}
            return subprocess.Popen(command, env=environment, stdout=file, stderr=file), log


@pytest.fixture(scope="module")
def willing(guarded: SecureBroker, tmp_path_factory: pytest.TempPathFactory) -> Willing:
    return Willing(guarded, tmp_path_factory.mktemp("willing"))  # one home: the next is the same member of the group


@pytest.mark.parametrize("missing", NEEDED, ids=lambda right: f"{right[0].name.lower()} {right[2]}")
def test_a_worker_without_one_of_its_rights_ends_and_names_what_it_may_not(willing: Willing, missing: Right) -> None:
    worker, log = willing.start([*DESCRIBE_ALL, *(right for right in NEEDED if right != missing)])
    try:
        assert worker.wait(ENDS_WITHIN_S) == EX_SOFTWARE
    finally:
        worker.kill()
        worker.wait()
    last = log.read_text().splitlines()[-4:]
    assert any("AuthorizationFailedError" in line and missing[2] in line for line in last), last


def test_a_worker_that_is_not_shown_all_topics_waits_and_says_which(willing: Willing) -> None:
    worker, log = willing.start(NEEDED)
    try:
        wait_until(lambda: log.read_text().count("shows this user no topic adapters, adapters-dlt") > 1, PATIENCE_S)
        assert "give it the right to describe them" in log.read_text()
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()
