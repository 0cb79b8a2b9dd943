from __future__ import annotations

import pytest

from editorial.metrics import Judged, summarise
from editorial.tags import TAGS
from schemas.events import Violation


def judged(precision: float, *rules: str, title: str = "A title") -> Judged:
    return Judged(title, precision, tuple(Violation(rule=rule, reason=rule) for rule in rules))


def test_the_figures_are_shares_of_all_titles() -> None:
    summary = summarise([judged(0.5), judged(0.7, "too_long", "acronym", "jargon"), judged(0.9, "name_not_in_article")])

    assert summary.n == 3
    assert summary.house_rules_pass == pytest.approx(1 / 3)
    assert summary.entities_right == pytest.approx(2 / 3)
    assert summary.precision_mean == pytest.approx(0.7)
    assert summary.precision_std == pytest.approx(0.1633, abs=1e-4)
    assert summary.by_tag["jargon_or_acronym"] == pytest.approx(1 / 3)  # two broken rules, one tag
    assert summary.by_tag.keys() == TAGS.keys()


def test_an_empty_title_has_no_entity_right() -> None:
    assert summarise([judged(0.0, "empty", title=" ")]).entities_right == 0


def test_of_no_titles_every_figure_is_zero() -> None:
    summary = summarise([])

    assert (summary.n, summary.house_rules_pass, summary.precision_mean, summary.precision_std) == (0, 0, 0, 0)
    assert set(summary.by_tag.values()) == {0}
