"""The private names of Faust and aiokafka that `workers/stream.py` leans on. An upgrade that moves one fails here."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path

import faust.transport.drivers.aiokafka as driver
import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer

from tests.stream.harness import Bench
from workers.stream import SafeConsumer, SafeProducer, SafeThread
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
        (driver.Consumer, "_new_consumer_thread", ["self"]),
        (driver.Producer, "_settings_extra", ["self"]),
        (Consumer, "_new_offset", ["self", "tp"]),
        (Consumer, "ack", ["self", "message"]),
        (Consumer, "wait_empty", ["self"]),
        (Consumer, "on_partitions_revoked", ["self", "revoked"]),
        (Consumer, "stop_flow", ["self"]),
        (Consumer, "commit_and_end_transactions", ["self"]),
        (GroupCoordinator, "check_errors", ["self"]),
        (Conductor, "on_partitions_assigned", ["self", "assigned"]),
    ],
)
def test_a_method_that_is_replaced_or_called_is_still_there(owner: type, name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


def test_faust_still_never_asks_its_driver_for_errors() -> None:
    assert "check_errors" not in inspect.getsource(driver)


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
    for name in ("_unacked_messages", "_acked", "_committed_offset", "_commit_fut"):
        assert hasattr(consumer, name)
    bench.close_thread()


async def test_nothing_that_can_stall_or_lose_is_left_switched_on(tmp_path: Path) -> None:
    conf = Bench(tmp_path, _handle).app.conf
    assert conf.broker_max_poll_interval >= 31_536_000
    assert conf.broker_session_timeout < conf.broker_rebalance_timeout < conf.broker_request_timeout
    assert (conf.table_standby_replicas, conf.topic_allow_declare, conf.web_enabled) == (0, False, False)
    assert (conf.producer_acks, conf.consumer_auto_offset_reset) == (-1, "earliest")
    assert conf.consumer_group_instance_id == "bench-0"
