from __future__ import annotations

from dataclasses import replace

from workers.watchdog import TICK_S, Limits, Vitals, Watch

LIMITS = Limits(
    try_s=10.0, loop_s=20.0, outside_group_s=30.0, without_partition_s=30.0, uncommitted_s=40.0, idle_s=20.0
)
OWN = frozenset({("articles", 0)})
WELL = Vitals(
    now=1000.0,
    loop_ran=1000.0,
    oldest_try=None,
    oldest_in_hand=None,
    done=0,
    committed=0,
    joined=True,
    assigned=OWN,
)


def watch(
    seconds: float,
    *,
    lag: int | None = 0,
    step: Vitals = WELL,
    loop: bool = True,
    growing: bool = False,
    hand_s: float | None = None,
    free: bool = False,
) -> str | None:
    """The first verdict while these signs of life go on for so long, looked at in the usual rhythm.

    `hand_s`: at each look the oldest message has been in hand for so long.
    """
    watcher, ticks = Watch(LIMITS, replace(step, now=1000.0)), int(seconds / TICK_S)
    for tick in range(1, ticks + 1):
        now = 1000.0 + tick * TICK_S
        vitals = replace(step, now=now, loop_ran=now if loop else 1000.0, done=tick if growing else step.done)
        if hand_s is not None:
            vitals = replace(vitals, oldest_in_hand=now - hand_s)
        if reason := watcher.verdict(vitals, lag, lambda: free):
            return reason
    return None


def test_an_idle_worker_without_lag_is_well_forever() -> None:
    assert watch(10_000) is None


def test_a_silent_event_loop_is_a_stall() -> None:
    assert "event loop" in (watch(30, loop=False) or "")


def test_a_handler_past_every_limit_is_a_stall() -> None:
    assert "handler" in (watch(30, step=replace(WELL, oldest_in_hand=1000.0, oldest_try=1000.0)) or "")


def test_a_worker_outside_its_group_is_a_stall() -> None:
    assert "consumer group" in (watch(60, step=replace(WELL, joined=False)) or "")


def test_lag_that_nobody_works_on_is_a_stall() -> None:
    assert "5 messages wait" in (watch(60, lag=5) or "")


def test_lag_is_no_stall_while_messages_get_done() -> None:
    assert watch(35, lag=5, growing=True) is None


def test_lag_that_nobody_could_measure_proves_nothing() -> None:
    assert watch(10_000, lag=None) is None


def test_messages_done_without_a_commit_are_a_stall() -> None:
    assert "committed" in (watch(100, growing=True) or "")


def test_short_waits_of_some_messages_do_not_hide_that_nothing_is_committed() -> None:
    assert "committed" in (watch(100, growing=True, hand_s=5.0) or "")


def test_a_message_that_waits_for_long_holds_back_the_commits_of_others_and_that_is_no_stall() -> None:
    assert watch(10_000, growing=True, hand_s=30.0) is None


def test_waiting_for_a_model_server_that_is_down_is_no_stall() -> None:
    assert watch(10_000, lag=500, step=replace(WELL, oldest_in_hand=1000.0)) is None


def test_a_member_without_a_partition_is_a_stall_if_there_are_enough_for_all() -> None:
    assert "no partition" in (watch(60, step=replace(WELL, assigned=frozenset()), free=True) or "")


def test_a_member_too_many_waits_for_its_day() -> None:
    assert watch(10_000, step=replace(WELL, assigned=frozenset())) is None


def test_a_machine_that_slept_is_no_stall() -> None:
    watcher = Watch(LIMITS, WELL)
    awake = replace(WELL, now=5000.0, oldest_try=1000.0, oldest_in_hand=1000.0)
    assert watcher.verdict(awake, 9, lambda: False) is None
