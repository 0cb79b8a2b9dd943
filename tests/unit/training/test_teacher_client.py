"""What a teacher's refusals mean, in the words that servers use."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from training.teacher.client import Busy, CannotLabel, Dropped, Garbled, Options, Refusal, verdict
from training.teacher.label import shutdown_warning


@pytest.fixture
def options() -> Options:
    return Options("m", 64, "none", [])


@pytest.mark.parametrize(
    ("status", "fault", "name"),
    [
        (
            400,
            {"param": "temperature", "code": "unsupported_value", "message": "Only the default (1) value"},
            "temperature",
        ),
        (400, {"message": "Unsupported parameter: 'max_completion_tokens'"}, "max_completion_tokens"),
        (400, {"message": "Unrecognized request argument supplied: reasoning_effort"}, "reasoning_effort"),
        (
            400,
            {"param": "reasoning_effort", "code": "invalid_value", "message": "Invalid value: 'none'."},
            "reasoning_effort",
        ),
        (422, {"message": "body.reasoning_effort: Input should be 'low', 'medium' or 'high'"}, "reasoning_effort"),
    ],
)
def test_a_parameter_that_is_not_taken_is_told_from_a_refused_article(
    options: Options, status: int, fault: dict[str, Any], name: str
) -> None:
    trouble = verdict(status, fault, options)
    assert isinstance(trouble, Dropped)
    assert str(trouble) == name
    options.drop(name)
    assert not options.takes(name)
    assert isinstance(verdict(status, fault, options), Dropped)  # another request was under way with it


@pytest.mark.parametrize(
    ("status", "fault", "kind"),
    [
        (400, {"message": "This model's maximum context length is 8192 tokens"}, Refusal),
        (400, {"message": "Invalid prompt: flagged", "code": "invalid_prompt"}, Refusal),
        (400, {"message": "Unsupported content in this article"}, Refusal),
        (429, {"message": "slow down"}, Busy),
        (429, {"message": "quota", "code": "insufficient_quota"}, CannotLabel),
        (401, {}, CannotLabel),
        (404, {}, CannotLabel),
        (503, {}, Busy),
        (500, {}, Garbled),
    ],
)
def test_every_other_refusal_has_its_verdict(options: Options, status: int, fault: dict[str, Any], kind: type) -> None:
    assert isinstance(verdict(status, fault, options), kind)


@pytest.mark.parametrize(
    ("asked", "wait_s"),
    [("3", 3.0), ("9999", 120.0), ("-1", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), (None, None)],
)
def test_a_server_is_asked_again_when_it_says_so_but_not_after_hours(
    options: Options, asked: str | None, wait_s: float | None
) -> None:
    trouble = verdict(429, {"message": "slow down"}, options, asked)
    assert isinstance(trouble, Busy)
    assert trouble.wait_s == wait_s


def test_a_limit_on_the_answer_must_remain(options: Options) -> None:
    options.drop("max_completion_tokens")
    assert options.body("x")["max_tokens"] == 64
    with pytest.raises(CannotLabel, match="no budget can be kept"):
        options.drop("max_tokens")


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (None, ""),
        (date(2027, 6, 1), ""),
        (date(2026, 12, 11), "will be shut down on 2026-12-11, in 18 days"),
        (date(2026, 11, 1), "was to be shut down on 2026-11-01"),
    ],
)
def test_a_teacher_that_goes_away_is_warned_about_in_time(ends: date | None, said: str) -> None:
    warning = shutdown_warning("m", ends, date(2026, 11, 23))
    assert said in warning
    assert bool(warning) == bool(said)
