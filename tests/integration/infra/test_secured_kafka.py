"""Every client of Kafka through TLS and passwords, on a real broker; and what is said when it lets nobody in."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.kafka import create_topics, lag, make_producer, read_whole, send_acked, wait_until_ready
from infra.settings import LOOPBACK, Security, Settings
from schemas.envelope import Envelope, encode
from schemas.errors import Invalid, Transient
from schemas.events import Adapter
from schemas.topics import ADAPTERS, ARTICLES, PUBLISHED
from tests.ground import environment_for, wait_until
from tests.samples import NOW, make_adapter, make_article
from tests.secure_broker import PASSWORD, USER, SecureBroker
from workers.stream import watch_compacted

WILLING = Path("tests/integration/workers/willing_worker.py")
PATIENCE_S = 120
AT_ONCE_S = 10.0


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    broker = SecureBroker(tmp_path_factory.mktemp("secured"))
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


def in_the_clear(broker: SecureBroker, home: Path, **more: object) -> Settings:
    return broker.client(home, Security.sasl_plaintext, kafka_username=USER, kafka_password=PASSWORD, **more)


def by_certificate(broker: SecureBroker, home: Path, **more: object) -> Settings:
    ours = {"kafka_ca": broker.ca, "kafka_certificate": broker.certificate, "kafka_key": broker.key}
    return broker.client(home, Security.ssl, **{**ours, **more})


WAYS: dict[str, Callable[[SecureBroker, Path], Settings]] = {
    "SCRAM-SHA-512 over TLS": lambda broker, home: broker.sasl_ssl(home),
    "SCRAM-SHA-256 over TLS": lambda broker, home: broker.sasl_ssl(home, kafka_sasl_mechanism="SCRAM-SHA-256"),
    "PLAIN over TLS": lambda broker, home: broker.sasl_ssl(home, kafka_sasl_mechanism="PLAIN"),
    "a certificate of our own": by_certificate,
    "SCRAM-SHA-512 in the clear": in_the_clear,
}


@pytest.mark.parametrize("way", WAYS)
async def test_every_client_comes_in_and_a_message_goes_all_the_way(
    secured: SecureBroker, tmp_path: Path, way: str
) -> None:
    settings = WAYS[way](secured, secured.home)  # one home: the next worker is the same member of the group
    await asyncio.to_thread(create_topics, settings)
    before = len(await asyncio.to_thread(lambda: list(read_whole(settings, PUBLISHED.name))))
    article, adapter = make_article(sorted(WAYS).index(way)), make_adapter(1 + before)

    def send() -> None:
        producer = make_producer(settings, "test")
        messages = [
            (topic, encode(event, source="test", time=NOW))
            for topic, event in ((ARTICLES, article), (ADAPTERS, adapter))
        ]
        send_acked(producer, messages)
        producer.close()

    await asyncio.to_thread(send)
    await asyncio.to_thread(work, settings, tmp_path / "worker.log", before + 1)
    assert PASSWORD not in (tmp_path / "worker.log").read_text()
    assert adapter in await _adapters(settings)


def work(settings: Settings, log: Path, published: int) -> None:
    """A stream worker until so many messages are published and everything is committed."""
    worker = start_willing(settings, log)
    try:
        wait_until(lambda: len(list(read_whole(settings, PUBLISHED.name))) == published, PATIENCE_S)
        wait_until(lambda: lag(settings, "copydesk.willing", [ARTICLES]) == 0, PATIENCE_S)
    finally:
        worker.terminate()
        assert worker.wait(60) == 0, log.read_text()


def start_willing(settings: Settings, log: Path) -> subprocess.Popen[bytes]:
    environment = environment_for(settings) | {"PYTHONPATH": "."}
    with log.open("wb") as file:
        return subprocess.Popen([sys.executable, str(WILLING)], env=environment, stdout=file, stderr=file)


async def _adapters(settings: Settings) -> list[Adapter]:
    heard: list[Adapter] = []
    current = asyncio.Event()

    async def hear(envelope: Envelope) -> None:
        assert isinstance(envelope.event, Adapter)
        heard.append(envelope.event)

    watching = asyncio.create_task(watch_compacted(settings, ADAPTERS, hear, current.set))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await current.wait()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return heard


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param(lambda b, h: b.sasl_ssl(h, kafka_password="nothing"), "COPYDESK_KAFKA_PASSWORD", id="password"),
        pytest.param(
            lambda b, h: b.sasl_ssl(h, kafka_password="nothing", kafka_sasl_mechanism="PLAIN"),
            "refuses user 'copydesk': wrong COPYDESK_KAFKA_USERNAME",
            id="password sent plainly",
        ),
        pytest.param(lambda b, h: b.sasl_ssl(h, kafka_username="nobody"), "refuses user 'nobody'", id="user"),
        pytest.param(
            lambda b, h: b.sasl_ssl(h, kafka_ca=None), "is not trusted: .*issuer.*COPYDESK_KAFKA_CA", id="authority"
        ),
        pytest.param(
            lambda b, h: b.sasl_ssl(h, kafka_bootstrap=f"localhost:{b.ports[Security.sasl_ssl]}"),
            "is not trusted: Hostname mismatch.*'localhost'",
            id="name in the certificate",
        ),
        pytest.param(
            lambda b, h: by_certificate(b, h, kafka_certificate=None, kafka_key=None),
            "wants a certificate.*COPYDESK_KAFKA_CERTIFICATE",
            id="no certificate",
        ),
        pytest.param(
            lambda b, h: in_the_clear(b, h, kafka_bootstrap=f"{LOOPBACK}:{b.ports[Security.plaintext]}"),
            "asks for no password: COPYDESK_KAFKA_SECURITY=sasl_plaintext",
            id="password for an open broker",
        ),
    ],
)
def test_a_refusal_that_lasts_is_told_at_once(
    secured: SecureBroker, tmp_path: Path, wrong: Callable[[SecureBroker, Path], Settings], words: str
) -> None:
    settings, began = wrong(secured, tmp_path), time.monotonic()
    with pytest.raises(Transient, match=words):
        wait_until_ready(settings, 60)
    assert time.monotonic() - began < AT_ONCE_S


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param(
            lambda b, h: b.client(h, Security.plaintext, kafka_bootstrap=f"{LOOPBACK}:{b.ports[Security.sasl_ssl]}"),
            "does it want TLS or a password.*COPYDESK_KAFKA_SECURITY",
            id="in the clear to TLS",
        ),
        pytest.param(
            lambda b, h: b.client(
                h, Security.plaintext, kafka_bootstrap=f"{LOOPBACK}:{b.ports[Security.sasl_plaintext]}"
            ),
            "does it want TLS or a password.*COPYDESK_KAFKA_SECURITY",
            id="no password to SASL",
        ),
        pytest.param(
            lambda b, h: b.sasl_ssl(h, kafka_bootstrap=f"{LOOPBACK}:{b.ports[Security.plaintext]}"),
            "does not speak TLS.*COPYDESK_KAFKA_SECURITY=sasl_ssl",
            id="TLS to a broker without",
        ),
    ],
)
def test_a_broker_that_hangs_up_is_told_as_a_guess_while_it_is_tried_again(
    secured: SecureBroker,
    tmp_path: Path,
    wrong: Callable[[SecureBroker, Path], Settings],
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings, began = wrong(secured, tmp_path), time.monotonic()
    with pytest.raises(Transient, match=words):
        make_producer(settings, "test", timeout_s=2)
    assert time.monotonic() - began < AT_ONCE_S
    assert "trying again: the Kafka broker at" in caplog.text


def test_a_worker_with_a_wrong_password_says_so_again_and_again_and_never_the_password(
    secured: SecureBroker, tmp_path: Path
) -> None:
    settings = secured.sasl_ssl(tmp_path, kafka_password="c4nary-wrong")
    log = tmp_path / "worker.log"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "copydesk", "worker", "archivist"]
        worker = subprocess.Popen(command, env=environment_for(settings), stdout=file, stderr=file)
    try:
        wait_until(lambda: log.read_text().count("refuses user 'copydesk'") >= 2, 60)
        assert worker.poll() is None, "it may be that the broker learns of the user only now"
    finally:
        worker.kill()
        worker.wait()
    assert "c4nary" not in log.read_text()


def test_doctor_comes_in_too_or_says_why_not(secured: SecureBroker, tmp_path: Path) -> None:
    right, wrong = secured.sasl_ssl(tmp_path), secured.sasl_ssl(tmp_path, kafka_password="c4nary-wrong")
    answers = [
        subprocess.run(
            [sys.executable, "-m", "copydesk", "doctor", "--json"],
            env=environment_for(settings),
            capture_output=True,
            text=True,
            timeout=120,
        )
        for settings in (right, wrong)
    ]
    assert f"answers at {right.bootstrap}" in answers[0].stdout
    assert "refuses user 'copydesk'" in answers[1].stdout
    assert PASSWORD not in str(answers)
    assert "c4nary" not in str(answers)


def test_files_that_are_no_certificates_are_named(secured: SecureBroker, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    for wrong, name in (
        (secured.sasl_ssl(tmp_path, kafka_ca=junk), "COPYDESK_KAFKA_CA"),
        (secured.sasl_ssl(tmp_path, kafka_ca=tmp_path / "missing.pem"), "COPYDESK_KAFKA_CA"),
        (by_certificate(secured, tmp_path, kafka_key=secured.ca), "COPYDESK_KAFKA_KEY"),
    ):
        with pytest.raises(Invalid, match=name):
            wait_until_ready(wrong, 1)
