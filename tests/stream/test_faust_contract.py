"""The private names of Faust and aiokafka that stream.py and sending.py use. An upgrade that moves one fails here."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path
from types import FunctionType

import aiokafka.consumer.fetcher as fetcher
import faust.transport.drivers.aiokafka as driver
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer

from infra.supervisord import Process
from tests.stream.harness import Bench
from workers import stream
from workers.outage import LONGEST_PAUSE_S
from workers.sending import SafeProducer
from workers.stream import SafeConsumer, SafeThread
from workers.window import Outlet


@pytest.mark.parametrize(
    ("package", "pinned"), [("faust-streaming", "0.15.3"), ("aiokafka", "0.14.0"), ("mode-streaming", "0.7.1")]
)
def test_the_versions_are_the_ones_that_were_studied(package: str, pinned: str) -> None:
    assert version(package) == pinned


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (
            driver.AIOKafkaConsumerThread,
            "_fetch_records",
            ["self", "consumer", "active_partitions", "timeout", "max_records"],
        ),
        (driver.AIOKafkaConsumerThread, "on_start", ["self"]),
        (driver.Producer, "on_start", ["self"]),
        (driver.Consumer, "_new_consumer_thread", ["self"]),
        (driver.Producer, "_settings_extra", ["self"]),
        (driver.Producer, "_ensure_producer", ["self"]),
        (Consumer, "_new_offset", ["self", "tp"]),
        (Consumer, "ack", ["self", "message"]),
        (Consumer, "wait_empty", ["self"]),
        (Consumer, "on_partitions_revoked", ["self", "revoked"]),
        (Consumer, "stop_flow", ["self"]),
        (Consumer, "on_buffer_drop", ["self", "tp"]),
        (Consumer, "_wait_next_records", ["self", "timeout"]),
        (Consumer, "_get_active_partitions", ["self"]),
        (Consumer, "wait_first", ["self", "coros", "timeout"]),
        (Consumer, "commit_and_end_transactions", ["self"]),
        (GroupCoordinator, "check_errors", ["self"]),
        (Conductor, "on_partitions_assigned", ["self", "assigned"]),
    ],
)
def test_a_method_that_is_replaced_or_called_is_still_there(owner: type, name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


def test_faust_still_never_asks_its_driver_for_errors() -> None:
    assert "check_errors" not in inspect.getsource(driver)


def test_each_start_still_makes_a_new_client() -> None:
    assert "self._consumer = self._create_consumer(" in inspect.getsource(driver.AIOKafkaConsumerThread.on_start)
    assert "self._producer = self._new_producer()" in inspect.getsource(driver.Producer.on_start)


async def _handle(_: object, __: Outlet) -> None:
    return None


async def test_the_application_is_made_of_the_safe_parts(tmp_path: Path) -> None:
    bench = Bench(tmp_path, _handle)
    consumer, producer = bench.consumer, bench.app.producer
    assert isinstance(consumer, SafeConsumer)
    assert isinstance(consumer._thread, SafeThread)
    assert isinstance(producer, SafeProducer)
    extra = producer._settings_extra()
    assert (extra["acks"], extra["enable_idempotence"]) == ("all", True)
    for name in ("_unacked_messages", "_acked", "_committed_offset", "_commit_fut", "_buffered_partitions"):
        assert hasattr(consumer, name)
    bench.close_thread()


def test_faust_still_starts_tasks_and_sleeps_where_it_need_not() -> None:
    assert "self.wait_first(\n" in inspect.getsource(Consumer._drain_messages)
    assert "callback(message), self.suspend_flow.wait()" in inspect.getsource(Consumer._drain_messages)
    assert "await self.sleep(1)" in inspect.getsource(Consumer._wait_next_records)


def test_a_fetcher_still_parses_with_the_name_that_is_replaced() -> None:
    assert "MemoryRecords(" in inspect.getsource(fetcher)
    records = _MemoryRecordsPy(b"")
    assert hasattr(records, "_next_slice")
    assert "self._buffer = bytearray(uncompressed)" in inspect.getsource(_DefaultRecordBatchPy._maybe_uncompress)
    assert '.decode("utf-8")' in inspect.getsource(_DefaultRecordBatchPy._read_msg)


def test_a_member_still_knows_its_generation_and_its_partitions() -> None:
    assert isinstance(inspect.getattr_static(AIOKafkaConsumer, "assignment"), FunctionType)
    assert "generation" in inspect.getsource(GroupCoordinator.__init__)
    assert "_coordinator" in inspect.getsource(AIOKafkaConsumer)


def test_waits_fit_into_each_other() -> None:
    """Handlers are let finish well before the group gives up on us, and the supervisor lets us finish stopping."""
    assert stream.DRAIN_S + 10 <= stream.STOP_S <= stream.REBALANCE_TIMEOUT_S - 10
    assert Process("worker", ["true"]).stop_s > stream.STOP_S
    assert LONGEST_PAUSE_S < stream.DRAIN_S


async def test_nothing_that_can_stall_or_lose_is_left_switched_on(tmp_path: Path) -> None:
    conf = Bench(tmp_path, _handle).app.conf
    assert conf.broker_max_poll_interval >= 31_536_000
    assert conf.broker_session_timeout < conf.broker_rebalance_timeout < conf.broker_request_timeout
    assert (conf.table_standby_replicas, conf.topic_allow_declare, conf.web_enabled) == (0, False, False)
    assert (conf.producer_acks, conf.consumer_auto_offset_reset) == (-1, "earliest")
    assert conf.consumer_group_instance_id == "bench-0"
