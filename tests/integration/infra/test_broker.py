"""The embedded broker, really running."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from infra.broker import EX_CANTCREAT, EX_UNAVAILABLE
from infra.kafka import create_topics, lag, make_producer, read_whole, send_acked, topic_specs
from infra.settings import LOOPBACK, Settings
from schemas.envelope import Message
from schemas.errors import Invalid, Transient
from schemas.topics import ADAPTERS, ARTICLES, MAX_MESSAGE_BYTES, TITLES, TOPICS
from tests.ground import Broker, environment_for, free_ports


def _messages(count: int) -> list[Message]:
    return [Message(key=b"k%d" % n, value=b"v%d" % n, headers=(("ce_id", b"%d" % n),)) for n in range(count)]


def _send(settings: Settings, messages: list[Message]) -> None:
    producer = make_producer(settings, "test")
    try:
        send_acked(producer, [(ARTICLES, message) for message in messages])
    finally:
        producer.close()


def _run_broker(settings: Settings, **more: str) -> subprocess.CompletedProcess[str]:
    environment = environment_for(settings) | more
    command = [sys.executable, "-m", "copydesk", "broker"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_what_was_acknowledged_survives_kill_9_and_a_clean_stop(own_broker: Broker) -> None:
    own_broker.start()
    create_topics(own_broker.settings)
    _send(own_broker.settings, _messages(500))

    own_broker.kill()
    own_broker.start()
    after_kill = {record.value for record in read_whole(own_broker.settings, ARTICLES.name)}
    own_broker.stop()
    own_broker.start()
    after_stop = {record.value for record in read_whole(own_broker.settings, ARTICLES.name)}

    assert after_kill == after_stop == {message.value for message in _messages(500)}


def test_the_broker_listens_on_the_loopback_address_only(broker: Broker) -> None:
    assert broker.process is not None
    listening = [link for link in psutil.Process(broker.process.pid).net_connections() if link.status == "LISTEN"]
    addresses = {link.laddr[0].removeprefix("::ffff:") for link in listening}
    assert addresses == {LOOPBACK}


def test_all_topics_of_the_registry_exist_and_no_other_is_made_by_writing_to_it(settings: Settings) -> None:
    from kafka import KafkaAdminClient, KafkaProducer
    from kafka.errors import KafkaError

    producer = KafkaProducer(bootstrap_servers=settings.bootstrap, max_block_ms=1500, allow_auto_create_topics=True)
    with pytest.raises(KafkaError):
        producer.send("nobody-declared-me", b"x").get(timeout=3)
    producer.close()

    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap)
    try:
        names = {name for name in admin.list_topics() if not name.startswith("__")}
    finally:
        admin.close()
    assert names == set(topic_specs(embedded=True)) == {n for t in TOPICS for n in (t.name, t.dead_letters)}


def test_topics_may_be_created_by_several_processes_at_once(own_broker: Broker) -> None:
    own_broker.start()
    command = [sys.executable, "-c", "from infra import kafka, settings; kafka.create_topics(settings.get_settings())"]
    racers = [subprocess.Popen(command, env=environment_for(own_broker.settings)) for _ in range(4)]
    assert [racer.wait(60) for racer in racers] == [0, 0, 0, 0]


def test_headers_keys_and_order_arrive_as_they_were_sent(settings: Settings) -> None:
    _send(settings, _messages(20))
    records = list(read_whole(settings, ARTICLES.name))
    assert {(r.key, r.value, r.headers) for r in records} == {(m.key, m.value, m.headers) for m in _messages(20)}


def test_reading_a_compacted_topic_whole_ends_although_offsets_may_be_missing(settings: Settings) -> None:
    producer = make_producer(settings, "test")
    for value in (b"one", b"two"):
        send_acked(producer, [(ADAPTERS, Message(key=b"champion", value=value, headers=()))])
    producer.close()
    assert [record.value for record in read_whole(settings, ADAPTERS.name)][-1] == b"two"


def test_an_empty_and_an_unknown_topic_read_as_nothing(settings: Settings) -> None:
    assert list(read_whole(settings, TITLES.name)) == []
    assert list(read_whole(settings, "no-such-topic")) == []


def test_lag_counts_what_the_group_has_not_committed(settings: Settings) -> None:
    from kafka import KafkaConsumer

    _send(settings, _messages(30))
    assert lag(settings, "readers", [ARTICLES, TITLES]) == 30

    consumer = KafkaConsumer(
        ARTICLES.name,
        bootstrap_servers=settings.bootstrap,
        group_id="readers",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    seen = 0
    while seen < 30:
        seen += sum(len(records) for records in consumer.poll(timeout_ms=500).values())
    consumer.commit()
    consumer.close()
    _send(settings, _messages(7))
    assert lag(settings, "readers", [ARTICLES, TITLES]) == 7


def test_a_message_of_the_largest_size_passes_and_a_larger_one_is_invalid(settings: Settings) -> None:
    _send(settings, [Message(key=b"k", value=os.urandom(MAX_MESSAGE_BYTES - 1024), headers=())])
    with pytest.raises(Invalid, match="larger"):
        _send(settings, [Message(key=b"k", value=bytes(MAX_MESSAGE_BYTES + 1), headers=())])


def test_sending_while_the_broker_is_down_is_transient(own_broker: Broker) -> None:
    own_broker.start()
    create_topics(own_broker.settings)
    producer = make_producer(own_broker.settings, "test")
    own_broker.kill()
    try:
        with pytest.raises(Transient):
            send_acked(producer, [(ARTICLES, _messages(1)[0])], timeout_s=2)
    finally:
        producer.close(timeout=0)


def test_a_taken_port_is_named_with_its_holder_and_the_way_out(tmp_path: Path) -> None:
    port = free_ports(2)
    with socket.create_server((LOOPBACK, port + 1)):
        result = _run_broker(Settings(home=tmp_path / "home", kafka_port=port))
    assert result.returncode == EX_UNAVAILABLE
    assert f"port {port + 1} on 127.0.0.1 is taken (by process {os.getpid()}," in result.stderr
    assert "COPYDESK_KAFKA_PORT" in result.stderr
    assert "COPYDESK_KAFKA_BOOTSTRAP" in result.stderr
    assert "Traceback" not in result.stderr


def test_without_jars_and_without_a_registry_the_message_names_the_way_to_an_own_cluster(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path / "home",
        kafka_port=free_ports(2),
        jar_cache=tmp_path / "empty-cache",
        maven_repository=f"http://{LOOPBACK}:{free_ports()}",
    )
    result = _run_broker(settings)
    assert result.returncode == EX_UNAVAILABLE
    assert "COPYDESK_KAFKA_BOOTSTRAP=host:port" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_data_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    result = _run_broker(Settings(home=tmp_path / "file" / "home", kafka_port=free_ports(2)))
    assert result.returncode == EX_CANTCREAT
    assert "data folder" in result.stderr
    assert "COPYDESK_HOME" in result.stderr
    assert "Traceback" not in result.stderr
