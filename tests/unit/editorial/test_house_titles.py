"""The house rules on a table of titles, each with what an editor would say of it."""

from __future__ import annotations

from collections import Counter

import pytest

from editorial.rules import RULES
from tests.house_titles import quality, samples

TABLE = samples()
QUALITY = quality(TABLE)
MOSTLY = 0.9
# what these three would need is not in the words: a list that names no list, short forms and trade words nobody listed
LOWER_RECALL = {"compilation": 0.7, "acronym": 0.7, "name_not_in_article": 0.85}


def test_the_table_is_large_and_has_every_rule_kept_and_broken() -> None:
    broken = Counter(rule for sample in TABLE for rule in sample.expected)

    assert len(TABLE) >= 300
    assert len({(sample.title, sample.article) for sample in TABLE}) == len(TABLE)
    assert sum(not sample.expected for sample in TABLE) >= 100
    assert broken.keys() == RULES.keys()
    assert min(broken.values()) >= 5


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_speaks_is_right(rule: str) -> None:
    assert QUALITY[rule].precision >= MOSTLY


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_what_it_is_for(rule: str) -> None:
    assert QUALITY[rule].recall >= LOWER_RECALL.get(rule, MOSTLY)


def test_hardly_a_title_without_fault_is_accused() -> None:
    fine = [sample for sample in TABLE if not sample.expected]

    assert sum(bool(sample.broken()) for sample in fine) <= 0.02 * len(fine)
