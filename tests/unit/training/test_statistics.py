"""Intervals and paired differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.statistics import interval, paired, sign_p, two_sided


def test_an_interval_is_the_same_every_time_and_holds_the_mean() -> None:
    values = [0.1, 0.4, 0.4, 0.9, 0.2]
    found = interval(values)
    assert found == interval(values)
    assert found.mean == pytest.approx(0.4)
    assert found.low < found.mean < found.high


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    held = sum(
        found.low <= 5.0 <= found.high
        for found in (interval(random.normal(5.0, 2.0, 60).tolist(), resamples=400) for _ in range(200))
    )
    assert 0.89 <= held / 200 <= 0.985


def test_shares_are_drawn_as_other_values_are() -> None:
    share = [1.0] * 90 + [0.0] * 30
    nearly = [value + 1e-9 * place for place, value in enumerate(share)]  # no two are equal
    one, other = interval(share, resamples=20_000), interval(nearly, resamples=20_000)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.01)
    assert one.mean == pytest.approx(0.75)
    certain = interval(share, resamples=20_000, confidence=0.99)
    assert certain.low < one.low < one.high < certain.high


def test_equal_values_leave_no_doubt_and_no_values_are_refused() -> None:
    assert (interval([0.5] * 4).low, interval([0.5] * 4).high) == (0.5, 0.5)
    for wrong in ([], [0.5, math.nan]):
        with pytest.raises(ValueError, match="finite"):
            interval(wrong)


def test_a_paired_difference_counts_who_won() -> None:
    found = paired([0.0, 0.5, 1.0, 0.2], [1.0, 0.5, 0.0, 0.9])
    assert (found.wins, found.losses, found.ties) == (2, 1, 1)
    assert found.mean == pytest.approx(0.175)


def test_pairs_see_what_two_means_apart_do_not() -> None:
    before = [place / 50 for place in range(50)]
    after = [value + 0.01 for value in before]
    assert paired(before, after).low > 0
    assert interval(before).high > interval(after).low


def test_different_numbers_of_stories_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired([1.0], [1.0, 2.0])


def test_the_sign_test_is_exact_and_stands_thousands_of_stories() -> None:
    assert sign_p(3, 1) == 5 / 16
    assert two_sided(0, 0) == 1.0
    assert two_sided(5, 0) == 2 / 32
    assert 0 < two_sided(1100, 900) < 0.0001
