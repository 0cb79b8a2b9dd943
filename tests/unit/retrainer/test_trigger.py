"""When to train, and the words for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workers.retrainer.trigger import MAX_INTERRUPTIONS, Facts, decide

READY = Facts(
    enabled=True,
    running=None,
    corrected_since=50,
    needed=50,
    last_finished_s=None,
    cooldown_s=600,
    interruptions=0,
)


def test_enough_corrections_start_a_training() -> None:
    decision = decide(READY)
    assert decision.train
    assert "50 of 50 corrections" in decision.explanation


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(READY, corrected_since=34), "34 of 50 corrections since the last training, 16 to go"),
        (replace(READY, last_finished_s=100), "the cooldown is 600 s: 500 s to go"),
        (replace(READY, running="v2-abc"), "v2-abc is being trained"),
        (replace(READY, enabled=False), "COPYDESK_RETRAIN_ENABLED"),
    ],
)
def test_a_single_unmet_condition_holds_it_back_and_is_named(facts: Facts, words: str) -> None:
    decision = decide(facts)
    assert not decision.train
    assert words in decision.explanation
    assert sum(not condition.met for condition in decision.conditions) == 1


def test_after_the_cooldown_it_trains_again() -> None:
    assert decide(replace(READY, last_finished_s=600)).train


def test_an_interrupted_training_starts_again_at_once_but_not_for_ever() -> None:
    interrupted = replace(READY, last_finished_s=1)
    assert decide(replace(interrupted, interruptions=MAX_INTERRUPTIONS)).train
    assert not decide(replace(interrupted, interruptions=MAX_INTERRUPTIONS + 1)).train
