"""When the scores of a source have shifted, and when they only vary."""

from __future__ import annotations

import random

from editorial.drift import BEFORE, LEAST_BEFORE, RECENT, shifts


def scores(chance: random.Random, how_many: int, mean: float = 0.7, spread: float = 0.08) -> list[float]:
    return [min(1.0, max(0.0, chance.gauss(mean, spread))) for _ in range(how_many)]


def test_a_source_whose_articles_are_no_longer_read_rightly_is_found_and_told() -> None:
    chance = random.Random(1)
    steady, changed = scores(chance, 400), scores(chance, 340) + scores(chance, RECENT, mean=0.6)

    (shift,) = shifts({"The Harbour Ledger": steady, "Inland Courier": changed})

    assert shift.source == "Inland Courier"
    assert shift.recent < shift.before
    assert "the scores of Inland Courier have fallen" in str(shift)


def test_the_same_mean_with_another_spread_is_a_shift_too() -> None:
    chance = random.Random(2)
    values = scores(chance, 400, spread=0.02) + scores(chance, RECENT, spread=0.15)

    assert [shift.source for shift in shifts({"one": values})] == ["one"]


def test_scores_that_only_vary_raise_hardly_an_alarm_however_long_one_looks() -> None:
    """Ten sources over 1,000 titles each, looked at after every 20: 430 looks that overlap."""
    chance = random.Random(3)
    sources = {f"source {at}": scores(chance, 1000) for at in range(10)}
    alarms = sum(
        len(shifts({name: values[:end] for name, values in sources.items()}))
        for end in range(RECENT + LEAST_BEFORE, 1001, 20)
    )

    assert alarms == 0


def test_many_sources_together_raise_no_more_alarms_than_one() -> None:
    """The same scores alone are an alarm, among fifty sources they may well be chance."""
    chance = random.Random(6)
    doubtful = scores(chance, 400) + scores(chance, RECENT, mean=0.655)
    others = {f"source {at}": scores(chance, 460) for at in range(49)}

    assert len(shifts({"one": doubtful})) == 1
    assert shifts({"one": doubtful} | others) == []


def test_a_source_with_few_scores_says_nothing() -> None:
    values = [0.9] * (LEAST_BEFORE - 1) + [0.1] * RECENT
    assert shifts({"one": values}) == []
    assert len(shifts({"one": [0.9, *values]})) == 1


def test_scores_that_are_all_alike_are_no_shift() -> None:
    assert shifts({"one": [0.5] * 500}) == []


def test_the_alarm_ends_when_the_new_scores_have_become_the_usual_ones() -> None:
    chance = random.Random(5)
    values = scores(chance, 300)
    alarms = []
    for _ in range(2 * BEFORE // 10):
        values += scores(chance, 10, mean=0.5)
        alarms.append(bool(shifts({"one": values})))

    assert alarms[RECENT // 10]
    assert not alarms[-1]
