from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editorial.figures import foreign_figures, read_figures


@pytest.mark.parametrize(
    ("title", "article"),
    [
        ("$1.5B for chips", "It raised 1.5 billion dollars."),
        ("$1.5 billion for chips", "It raised $1,500,000,000."),
        ("$57M for chips", "It raised $56.8 million."),
        ("38% agree", "Some 38 percent agree."),
        ("25% agree", "A quarter of them agree."),
        ("Sales up 7 times", "Sales grew seven times."),
        ("Works in 23 languages", "It knows twenty-three languages."),
        ("$10 million for chips", "It raised $10 to $12 million."),
        ("9 tips for gardeners", "Water them. Talk to them."),
        ("What to expect in 2024", "In 2023 we said less."),
        ("GPT-4 on 5G phones in Q3", "Nothing of the sort."),
        ("Robots 101", "Robots are machines."),
    ],
)
def test_a_number_that_the_article_supports_is_not_foreign(title: str, article: str) -> None:
    assert foreign_figures(title, article) == []


@pytest.mark.parametrize(
    ("title", "article", "foreign"),
    [
        ("$1.5B for chips", "It raised 1.5 million dollars.", ["1.5B"]),
        ("$58M for chips", "It raised $56.8 million.", ["58M"]),
        ("3 people agree", "On average 2.7 people agree.", ["3"]),
        ("80 agree", "80 million were spent.", ["80"]),
        ("9 tips for gardeners", "We have 8 tips for you.", ["9"]),
        ("The fall of 1989", "In 2023 we said less.", ["1989"]),
        ("Score of 71.4 percent", "It scored 74.1 percent.", ["71.4"]),
    ],
)
def test_a_number_that_the_article_lacks_is_foreign(title: str, article: str, foreign: list[str]) -> None:
    assert foreign_figures(title, article) == foreign


@given(st.integers(1, 999), st.sampled_from([("K", "thousand", 3), ("M", "million", 6), ("B", "billion", 9)]))
def test_a_scaled_number_reads_the_same_in_every_spelling(count: int, scale: tuple[str, str, int]) -> None:
    letter, word, zeros = scale
    spellings = [f"${count}{letter}", f"{count} {word}", f"{count * 10**zeros:,}", f"{count}{'0' * zeros}"]

    assert {read_figures(f"It cost {spelling} then.")[0].value for spelling in spellings} == {count * 10.0**zeros}


@given(st.integers(2100, 10**6), st.integers(2100, 10**6))
def test_a_changed_number_is_found(stated: int, titled: int) -> None:
    foreign = foreign_figures(f"Profit reaches {titled} dollars", f"The profit was {stated} dollars.")

    assert bool(foreign) == (stated != titled)
