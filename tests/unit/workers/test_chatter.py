from __future__ import annotations

import logging

import pytest

from workers.chatter import EVERY_S, MOST_KINDS, Throttle, keep_readable


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(["aiokafka", "workers.window"], clock)


def line(name: str, text: str, *figures: object, level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, text, figures, None)


def test_of_a_kind_of_line_one_passes_and_the_next_says_how_many_were_left_out(
    throttle: Throttle, clock: Clock
) -> None:
    passed = [throttle.filter(line("aiokafka.conn", "node %s is away", node)) for node in range(100)]
    assert passed == [True] + [False] * 99
    clock.now += EVERY_S
    last = line("aiokafka.conn", "node %s is away", 7)
    assert throttle.filter(last)
    assert last.getMessage() == "node 7 is away (and 99 more like this)"


@pytest.mark.parametrize(
    "other",
    [
        line("aiokafka.conn", "something else"),
        line("aiokafka.client", "node is away"),
        line("aiokafka.conn", "node is away", level=logging.WARNING),
    ],
)
def test_other_kinds_are_not_held_back(throttle: Throttle, other: logging.LogRecord) -> None:
    throttle.filter(line("aiokafka.conn", "node is away"))
    assert throttle.filter(other)


@pytest.mark.parametrize("name", ["workers.stream", "aiokafkas", "root"])
def test_who_is_not_chatty_always_passes(throttle: Throttle, name: str) -> None:
    assert all(throttle.filter(line(name, "x")) for _ in range(5))


def test_the_loudest_always_pass(throttle: Throttle) -> None:
    assert all(throttle.filter(line("aiokafka", "x", level=logging.CRITICAL)) for _ in range(5))


def test_texts_that_are_different_each_time_do_not_fill_the_memory(throttle: Throttle) -> None:
    for number in range(3 * MOST_KINDS):
        throttle.filter(line("aiokafka", f"text {number}"))
    assert len(throttle._kinds) <= MOST_KINDS


def test_every_handler_is_throttled_once(caplog: pytest.LogCaptureFixture) -> None:
    keep_readable()
    keep_readable()
    present = [filter_ for handler in logging.getLogger().handlers for filter_ in handler.filters]
    throttles = [filter_ for filter_ in present if isinstance(filter_, Throttle)]
    assert len(throttles) == len(logging.getLogger().handlers) > 0
    for _ in range(20):
        logging.getLogger("aiokafka.conn").error("Unable to connect to node %s", 1)
    assert len(caplog.records) == 1
    for handler in logging.getLogger().handlers:
        handler.filters = [kept for kept in handler.filters if not isinstance(kept, Throttle)]
