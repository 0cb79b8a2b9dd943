from __future__ import annotations

import time

import pytest

from editorial.cut import cut


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
