"""When to train, and the words for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from workers.retrainer.trigger import MAX_INTERRUPTIONS, Facts, Fresh, Schedule, Wanted, counted, decide

THREE = datetime(2026, 11, 23, 3, tzinfo=UTC)
WANTED = Wanted(enabled=True, when="count", corrections=50, stories=1, curators=1, tag_share=1.0, cooldown_s=600)
FRESH = Fresh(corrections=50, stories=40, curators=2, tags={("length",): 50}, oldest=THREE - timedelta(hours=1))
READY = Facts(wanted=WANTED, fresh=FRESH)
NIGHTLY = Schedule("0 3 * * *", last=THREE, next=THREE + timedelta(days=1))


def wanting(**changes: object) -> Facts:
    """The facts where all is ready, but the settings ask for this."""
    return replace(READY, wanted=replace(WANTED, **changes), schedule=NIGHTLY)  # type: ignore[arg-type]


def test_enough_corrections_start_a_training() -> None:
    decision = decide(READY)
    assert decision.train
    assert "50 of 50 corrections" in decision.explanation


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(READY, fresh=replace(FRESH, corrections=34, tags={})), "34 of 50 corrections since the last training"),
        (replace(READY, last_finished_s=100), "the cooldown is 600 s: 500 s to go"),
        (replace(READY, running="v2-abc"), "v2-abc is being trained"),
        (wanting(enabled=False), "COPYDESK_RETRAIN_ENABLED"),
        (wanting(stories=41), "about 40 stories, 41 needed"),
        (wanting(curators=3), "by 2 curators, 3 needed"),
        (wanting(tag_share=0.5), "25 of 50 corrections since the last training (50 were made, but of one error tag"),
        (replace(wanting(when="schedule"), last_started=THREE), "scheduled for 2026-11-24 03:00 UTC"),
        (replace(wanting(when="both"), last_started=THREE), "scheduled for 2026-11-24 03:00 UTC"),
        (wanting(when="both", corrections=51), "50 of 51 corrections since the last training, 1 to go"),
        (replace(wanting(when="either", corrections=51), last_started=THREE), "neither: 50 of 51 corrections"),
    ],
)
def test_a_single_unmet_condition_holds_it_back_and_is_named(facts: Facts, words: str) -> None:
    decision = decide(facts)
    assert not decision.train
    assert words in decision.explanation
    assert sum(not condition.met for condition in decision.conditions) == 1


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (wanting(when="schedule", corrections=51), "scheduled for 2026-11-23 03:00 UTC"),
        (wanting(when="both"), "50 of 50 corrections"),
        (wanting(when="either", corrections=51), "scheduled for 2026-11-23 03:00 UTC"),
        (replace(wanting(when="either"), last_started=THREE), "50 of 50 corrections"),
        (wanting(stories=40, curators=2), "about 40 stories, 40 needed"),
    ],
)
def test_count_and_schedule_make_a_training_due_as_the_settings_say(facts: Facts, words: str) -> None:
    decision = decide(facts)
    assert decision.train
    assert words in decision.explanation


def test_a_schedule_trains_on_nothing_that_came_after_its_time() -> None:
    late = replace(FRESH, corrections=3, oldest=THREE + timedelta(minutes=1))
    assert not decide(replace(wanting(when="schedule"), fresh=late)).train
    nothing = Fresh(corrections=0, stories=0, curators=0)
    assert "finds no new correction" in decide(replace(wanting(when="schedule"), fresh=nothing)).explanation


def test_of_one_error_tag_only_so_many_count_and_those_without_a_tag_all_do() -> None:
    def count(tags: dict[tuple[str, ...], int]) -> int:
        return counted(Fresh(corrections=sum(tags.values()), stories=1, curators=1, tags=tags), most=10)

    assert count({("length",): 40}) == 10
    assert count({("length",): 40, ("names",): 7, (): 5}) == 22
    assert count({("length",): 40, ("length", "names"): 40}) == 20
    assert count({("length", "names"): 40}) == 10
    assert count({("length",): 8, ("names",): 8, ("length", "names"): 8}) == 18


def test_after_the_cooldown_it_trains_again() -> None:
    assert decide(replace(READY, last_finished_s=600)).train


def test_an_interrupted_training_starts_again_at_once_but_not_for_ever() -> None:
    interrupted = replace(READY, last_finished_s=1)
    assert decide(replace(interrupted, interruptions=MAX_INTERRUPTIONS)).train
    assert not decide(replace(interrupted, interruptions=MAX_INTERRUPTIONS + 1)).train
