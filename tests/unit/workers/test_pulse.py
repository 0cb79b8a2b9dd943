from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from prometheus_client import REGISTRY

from schemas.errors import Unavailable
from workers.pulse import Pulse
from workers.watchdog import LOOP_SILENT_S
from workers.window import Window


@dataclass
class Group:
    """The consumer's place in its group."""

    member: bool = True
    partitions: set[tuple[str, int]] = field(default_factory=lambda: {("articles", 0), ("articles", 3)})

    def joined(self) -> bool:
        return self.member

    def assigned(self) -> set[tuple[str, int]]:
        return self.partitions

    def committed(self) -> int:
        return 42


@pytest.fixture
async def window() -> Window:
    return Window(group="copydesk.test", size=4, max_attempts=3, try_limit_s=1.0)


def reading(window: Window, group: Group | None = None, own: Callable[[], str | None] | None = None) -> Pulse:
    return Pulse(window, group or Group(), own, phase=None)


async def test_a_worker_that_reads_is_live_and_ready(window: Window) -> None:
    pulse = reading(window)
    assert (pulse.live(), pulse.ready()) == (None, None)


async def test_before_it_reads_it_says_what_it_waits_for(window: Window) -> None:
    assert Pulse(window, Group()).ready() == "waiting for the broker"


async def test_outside_the_group_or_without_a_partition_it_is_not_ready(window: Window) -> None:
    assert reading(window, Group(member=False)).ready() == "not in the consumer group"
    assert reading(window, Group(partitions=set())).ready() == "no partition is assigned"


async def test_its_own_reason_counts(window: Window) -> None:
    assert reading(window, own=lambda: "no adapter serves yet").ready() == "no adapter serves yet"


async def test_in_an_outage_it_is_live_but_not_ready(window: Window) -> None:
    async def away() -> None:
        raise Unavailable("the server is away")

    pulse = reading(window)
    for expected in (None, "paused: the server is away"):  # one refused request is not yet an outage
        with pytest.raises(Unavailable):
            await window.outage.passage(away)
        assert pulse.ready() == expected
    assert pulse.live() is None


async def test_a_silent_event_loop_is_neither_live_nor_ready(window: Window) -> None:
    pulse = reading(window)
    pulse._ran = time.monotonic() - LOOP_SILENT_S - 1
    assert "event loop" in (pulse.live() or "")
    assert pulse.ready() == pulse.live()


async def test_the_event_loop_beats(window: Window) -> None:
    pulse = reading(window)
    pulse._ran = 0.0
    pulse.beat()
    await asyncio.sleep(0)
    assert time.monotonic() - pulse.vitals().loop_ran < 5


async def test_the_watchdog_sees_the_oldest_of_each(window: Window) -> None:
    window.held.update({1: 100.0, 2: 200.0})
    window.at_work.update({7: 150.0, 8: 250.0})
    window.done = 9
    vitals = reading(window).vitals()
    assert (vitals.oldest_in_hand, vitals.oldest_try, vitals.done) == (100.0, 150.0, 9)
    assert (vitals.committed, vitals.joined) == (42, True)
    assert vitals.assigned == frozenset({("articles", 0), ("articles", 3)})


async def test_gauges_are_read_when_somebody_asks(window: Window) -> None:
    assert reading(window).show(0, "127.0.0.1") is None
    window.held.update({1: 100.0, 2: 200.0})
    window.at_work.update({7: 150.0})
    gauges = {
        "copydesk_in_flight_events": 2,
        "copydesk_resting_events": 1,
        "copydesk_window_size_events": 4,
        "copydesk_window_occupancy_ratio": 0.5,
        "copydesk_assigned_partitions": 2,
        "copydesk_paused": 0,
        "copydesk_ready": 1,
    }
    assert {name: REGISTRY.get_sample_value(name) for name in gauges} == gauges
