from __future__ import annotations

from uuid import UUID, uuid5

import pytest

from editorial.flagger import decide, default_threshold, drawn
from schemas.events import Violation

LONG = Violation(rule="too_long", reason="It has 70 characters; 60 are allowed.")
TITLES = [uuid5(UUID(int=0), str(number)) for number in range(20_000)]


def test_a_title_that_nothing_speaks_against_is_published() -> None:
    decision = decide(0.7, (), threshold=0.5, audit_draw=False)

    assert decision.publish
    assert decision.reasons == ()
    assert not decision.audit


def test_a_broken_rule_sends_a_title_to_review_with_the_reason() -> None:
    decision = decide(0.9, (LONG,), threshold=0.5, audit_draw=False)

    assert not decision.publish
    assert decision.reasons == (LONG.reason,)


def test_a_poorly_supported_title_goes_to_review() -> None:
    decision = decide(0.41, (LONG,), threshold=0.5, audit_draw=False)

    assert len(decision.reasons) == 2
    assert "0.41" in decision.reasons[1]


def test_precision_at_the_threshold_is_good_enough() -> None:
    assert decide(0.5, (), threshold=0.5, audit_draw=False).publish


def test_an_audit_is_of_titles_that_would_have_been_published() -> None:
    assert decide(0.9, (), threshold=0.5, audit_draw=True).audit
    assert not decide(0.9, (), threshold=0.5, audit_draw=True).publish
    assert not decide(0.9, (LONG,), threshold=0.5, audit_draw=True).audit


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_the_draw_takes_its_share_and_always_the_same_titles(share: float) -> None:
    first = [drawn(title_id, share) for title_id in TITLES]

    assert sum(first) / len(TITLES) == pytest.approx(share, abs=0.01)
    assert first == [drawn(title_id, share) for title_id in TITLES]


def test_a_scorer_that_was_not_calibrated_has_no_threshold() -> None:
    assert default_threshold("minilm") > 0
    assert default_threshold("roberta-large") == 0
