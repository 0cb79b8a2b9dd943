"""What the flagger says of its own quality, and how far that can be trusted."""

from __future__ import annotations

import random

import pytest

from editorial.intervals import wilson
from editorial.quality import Counts, Share, curve, quality


def counts(**given: int) -> Counts:
    nothing = dict.fromkeys(Counts.model_fields, 0)
    return Counts.model_validate(nothing | given)


def test_wilsons_interval_is_the_one_in_the_books() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_all_is_known_from_the_verdicts_on_flagged_titles_and_on_the_sample() -> None:
    found = quality(
        counts(flagged=200, flagged_judged=100, flagged_corrected=50, unflagged=1000, audited=100, audited_corrected=10)
    )

    assert found.precision is not None
    assert found.missed is not None
    assert found.recall is not None
    assert (found.precision.estimate, found.missed.estimate) == (0.5, 0.1)
    assert found.recall.estimate == pytest.approx(100 / 200)
    assert found.recall.low < 0.5 < found.recall.high


def test_without_a_judged_sample_nobody_says_how_much_is_missed() -> None:
    found = quality(counts(flagged=10, flagged_judged=10, flagged_corrected=5, unflagged=1000))

    assert found.precision is not None
    assert found.missed is None
    assert found.recall is None


def test_where_nothing_is_flagged_or_nothing_is_wrong_there_is_no_recall_to_tell() -> None:
    assert quality(counts(unflagged=50, audited=5, audited_corrected=1)).recall is None
    spotless = quality(counts(flagged=9, flagged_judged=9, unflagged=50, audited=5))
    assert spotless.recall is None
    assert spotless.precision == Share(estimate=0.0, low=0.0, high=wilson(0, 9)[1])


@pytest.mark.parametrize(("rightly", "missed", "audited"), [(0.6, 0.03, 60), (0.3, 0.15, 20), (0.9, 0.01, 200)])
def test_the_truth_lies_in_the_interval_as_often_as_it_says(rightly: float, missed: float, audited: int) -> None:
    """Drawn a thousand times: 95 % is promised, of which chance may take two."""
    chance = random.Random(7)
    flagged, unflagged = 150, 1200
    truth = rightly * flagged / (rightly * flagged + missed * unflagged)

    def holds() -> bool:
        found = quality(
            counts(
                flagged=flagged,
                flagged_judged=flagged,
                flagged_corrected=sum(chance.random() < rightly for _ in range(flagged)),
                unflagged=unflagged,
                audited=audited,
                audited_corrected=sum(chance.random() < missed for _ in range(audited)),
            )
        ).recall
        return found is not None and found.low <= truth <= found.high

    assert sum(holds() for _ in range(1000)) >= 930


def test_probabilities_that_hold_lie_in_the_intervals_of_the_curve_as_often_as_they_say() -> None:
    """Drawn from what they tell, a hundred times; the audit takes one in twenty of those under a half."""
    chance = random.Random(11)
    held = []
    for _ in range(100):
        titles = [(told := chance.random(), chance.random() < told) for _ in range(2000)]
        flagged = [(told, bad, False) for told, bad in titles if told >= 0.5]
        below = [(told, bad, True) for told, bad in titles if told < 0.5]
        drawn = [one for one in below if chance.random() < 0.05]
        seen = counts(flagged=len(flagged), flagged_judged=len(flagged), unflagged=len(below), audited=len(drawn))
        bins = curve([*flagged, *drawn], seen)
        assert [round(one.low, 1) for one in bins] == [0.0, 0.2, 0.4, 0.6, 0.8]
        held += [one.corrected.low <= one.told <= one.corrected.high for one in bins]
        assert 0.45 < bins[2].told < 0.55, "both halves weigh as much as there are titles"

    assert sum(held) / len(held) > 0.92


def test_probabilities_that_boast_lie_outside() -> None:
    (only,) = curve([(0.9, at % 2 == 0, False) for at in range(100)], counts(flagged=100, flagged_judged=100))

    assert only.corrected.high < only.told
