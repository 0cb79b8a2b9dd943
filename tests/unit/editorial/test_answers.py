from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editorial.answers import clean


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("Harbor Labs opens its archive", "Harbor Labs opens its archive"),
        ("  Title: Harbor Labs opens\n", "Harbor Labs opens"),
        ("**Title:** Harbor Labs opens", "Harbor Labs opens"),
        ("# Headline: Title: Harbor Labs opens", "Harbor Labs opens"),
        ("Harbor Labs\n\topens", "Harbor Labs opens"),
        ("<think>A list? No.</think>\n\nHarbor Labs opens", "Harbor Labs opens"),
        ("<THINKING>one</thinking>Harbor <think>two</think> Labs", "Harbor Labs"),
        ("<think>The article is about", ""),
        ("\x00Harbor\x07 Labs\ud800", "Harbor Labs"),
        (" \n ", ""),
        ("Title:", ""),
        ("Entitled: the untold story", "Entitled: the untold story"),
    ],
)
def test_the_wrapping_of_an_answer_goes(raw: str, title: str) -> None:
    assert clean(raw) == title


def test_quotation_marks_stay_for_the_house_rule_to_see() -> None:
    assert clean('"Harbor Labs opens"') == '"Harbor Labs opens"'


@given(st.text(alphabet=st.characters(), max_size=60))
def test_cleaning_twice_changes_nothing_more_and_the_result_can_be_stored(raw: str) -> None:
    once = clean(raw)

    assert clean(once) == once
    assert len(once.splitlines()) <= 1
    assert "\x00" not in once
    once.encode()
