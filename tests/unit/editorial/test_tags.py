from __future__ import annotations

from editorial.rules import RULES
from editorial.tags import TAG_OF_RULE, TAGS


def test_every_house_rule_stands_for_an_error_tag() -> None:
    assert TAG_OF_RULE.keys() == RULES.keys()
    assert set(TAG_OF_RULE.values()) <= TAGS.keys()


def test_every_tag_explains_itself_in_a_sentence() -> None:
    assert all(sentence.endswith(".") for sentence in TAGS.values())
