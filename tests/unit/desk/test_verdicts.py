"""What a curator may decide, and which events that makes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.errors import Invalid
from schemas.events import Correction, Origin, Verdict, Violation
from tests.desk_seed import NOW, TIDE, Case, score_row
from workers.desk.verdicts import (
    TITLE_LIMIT,
    AlreadyJudged,
    Standing,
    Submission,
    admit,
    correct,
    length,
    one_line,
    publish,
)

GOOD = Case("council", "Council writes", "The council wrote rules.", "Council sets rules for machines")
BETTER = "Nine-day tide forecasts run on an office computer"


def submit(verdict: str, text: str = "", **more: object) -> Submission:
    return Submission.model_validate({"verdict": verdict, "text": text, "curator": "Ana", **more})


def decide(submission: Submission, case: Case = TIDE) -> Correction:
    return correct(submission, score_row(case, NOW), NOW)


def test_a_correction_keeps_both_wordings_and_who_wrote_the_new_one() -> None:
    correction = decide(submit("corrected", BETTER, error_tags=["not_in_article", "too_long"], seconds_spent=31.5))
    assert (correction.title_before, correction.title_after) == (TIDE.title, BETTER)
    assert (correction.curator, correction.seconds_spent, correction.model_version) == ("Ana", 31.5, "v1")
    assert correction.error_tags == ("too_long", "not_in_article")  # in the form's order, whatever the client's


def test_the_same_verdict_has_the_same_ids_whenever_it_is_given() -> None:
    first = decide(submit("corrected", BETTER))
    again = correct(submit("corrected", f"  {BETTER}\n"), score_row(TIDE, NOW), NOW + timedelta(hours=1))
    assert first.event_id == again.event_id
    assert decide(submit("corrected", BETTER + "!")).event_id != first.event_id


def test_an_approved_title_goes_out_with_the_models_scores() -> None:
    scored = score_row(GOOD, NOW)
    published = publish(correct(submit("approved"), scored, NOW), scored, ())
    assert published is not None
    assert (published.text, published.origin, published.verdict) == (GOOD.title, Origin.model, "approved")
    assert (published.precision, published.scorer) == (scored.precision, scored.scorer)


def test_a_new_wording_goes_out_without_scores() -> None:
    scored = score_row(TIDE, NOW)
    broken = (Violation(rule="jargon", reason="Specialist word: nine-day."),)
    published = publish(decide(submit("corrected", BETTER)), scored, broken)
    assert published is not None
    assert (published.text, published.origin, published.verdict) == (BETTER, Origin.curator, "corrected")
    assert (published.precision, published.recall, published.f1) == (None, None, None)
    assert (published.scorer, published.evidence, published.violations) == ("", "", broken)


def test_a_spiked_title_goes_nowhere() -> None:
    correction = decide(submit("spiked", "half a thought"))
    assert correction.title_after == ""
    assert publish(correction, score_row(TIDE, NOW), ()) is None


@pytest.mark.parametrize(
    ("submission", "case", "words"),
    [
        (submit("corrected", " \u200f "), TIDE, "empty"),
        (submit("corrected", "x" * (TITLE_LIMIT + 1)), TIDE, "61 characters"),
        (submit("corrected", GOOD.title), GOOD, "nothing was changed"),
        (submit("approved", BETTER), GOOD, "save it as a correction"),
        (submit("approved"), TIDE, "71 characters"),
        (submit("approved"), Case("silence", "Quiet", "A quiet week.", ""), "empty"),
    ],
)
def test_a_verdict_that_cannot_stand_is_refused_in_words(submission: Submission, case: Case, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        decide(submission, case)


@pytest.mark.parametrize(
    "more",
    [
        {"curator": "  "},
        {"curator": "A" * 81},
        {"error_tags": ["boring"]},
        {"seconds_spent": -1},
        {"seconds_spent": float("nan")},
        {"text": "x" * 1001},
        {"verdict": "maybe"},
        {"colour": "blue"},
    ],
)
def test_what_no_verdict_can_be_is_refused_at_the_border(more: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        submit(**{"verdict": "corrected", "text": BETTER, **more})  # type: ignore[arg-type]


def test_sixty_is_counted_as_a_reader_counts() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert length(family * TITLE_LIMIT) == TITLE_LIMIT
    assert decide(submit("corrected", family * TITLE_LIMIT)).title_after == family * TITLE_LIMIT


@example("two\r\x1b\x85spaces")
@given(st.text(max_size=200))
def test_a_title_is_one_line_without_anything_invisible_that_turns_the_reading_order(typed: str) -> None:
    line = one_line(typed)
    assert line == one_line(line)
    assert not set(line) & set("\n\r\t\0\u202e\u2066")
    assert len(line.splitlines()) <= 1


def standing(curator: str, verdict: Verdict = Verdict.corrected) -> Standing:
    return Standing(
        correction_id=decide(submit("corrected", BETTER)).correction_id,
        verdict=verdict,
        curator=curator,
        title_after=BETTER,
        error_tags=(),
        decided_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


def test_a_curator_may_change_their_own_mind_but_nobody_elses() -> None:
    mine = decide(submit("corrected", BETTER))
    admit(mine, None, is_out=False)
    admit(mine, standing("Ana"), is_out=True)
    with pytest.raises(AlreadyJudged, match="Ben has already judged"):
        admit(mine, standing("Ben"), is_out=True)


def test_what_is_out_cannot_be_spiked() -> None:
    with pytest.raises(AlreadyJudged, match="already published"):
        admit(decide(submit("spiked")), standing("Ana"), is_out=True)
    admit(decide(submit("spiked")), None, is_out=False)
