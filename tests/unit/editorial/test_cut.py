from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editorial.cut import cut, estimate_tokens


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert cut("  Short text. \n", 50) == "  Short text. \n"


def test_a_long_text_ends_with_a_whole_sentence() -> None:
    text = "The first sentence is here. The second one is too. " + "More words follow " * 50
    assert cut(text, 28) == "The first sentence is here. The second one is too."


def test_a_quotation_mark_belongs_to_the_sentence_it_ends() -> None:
    text = "“It works,” they said. “It really does.” " + "More words follow " * 50
    assert cut(text, 24) == "“It works,” they said. “It really does.”"


def test_a_decimal_point_ends_no_sentence() -> None:
    text = "Profits rose to 3.5 million of the local money " * 20
    assert not cut(text, 40).endswith("3.")


def test_a_text_without_sentences_ends_with_a_whole_word() -> None:
    shortened = cut("unstoppable " * 100, 50)
    assert set(shortened.split()) == {"unstoppable"}


def test_a_single_endless_word_is_cut_all_the_same() -> None:
    assert cut("a" * 100_000, 12) == "a" * 30


@pytest.mark.parametrize("text", ["人工智能公司今天发布了新的模型。" * 100, "😀" * 500, "12345 " * 300])
def test_other_scripts_signs_and_digits_are_never_longer_than_allowed(text: str) -> None:
    assert 0 < len(cut(text, 100).replace(" ", "")) <= 100


def test_two_megabytes_take_no_longer_than_what_is_kept() -> None:
    began = time.perf_counter()
    cut("A sentence of some length stands here. " * 55_000, 700)
    assert time.perf_counter() - began < 0.1


def test_cutting_twice_is_cutting_once() -> None:
    once = cut("One sentence. Another sentence! A third? " * 60, 100)
    assert cut(once, 100) == once


def test_the_end_of_a_long_text_is_kept_too_from_the_beginning_of_a_sentence() -> None:
    text = "It begins with news. " + "The middle is long. " * 400 + "It ends with what it is good for."
    shortened = cut(text, 300)
    assert shortened.startswith("It begins with news. The middle is long.")
    head, _, tail = shortened.partition("\n…\n")
    assert head.endswith("The middle is long.")
    assert tail.startswith("The middle is long.")
    assert tail.endswith("It ends with what it is good for.")
    assert len(tail) < len(head) / 2
    assert estimate_tokens(shortened) <= 300
    assert cut(shortened, 300) == shortened


def test_where_no_sentence_begins_near_the_end_only_the_beginning_is_kept() -> None:
    assert "…" not in cut("unstoppable " * 1000, 300)


@given(st.text(max_size=3000), st.integers(min_value=1, max_value=600))
def test_whatever_it_is_it_has_at_most_so_many_tokens_and_is_cut_only_once(text: str, most: int) -> None:
    shortened = cut(text, most)
    assert estimate_tokens(shortened) <= most or (shortened == text[: len(shortened)] and len(shortened) <= 30)
    assert cut(shortened, most) == shortened
