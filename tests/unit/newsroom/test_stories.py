"""The press writes what a person can read back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editorial.rules import check
from infra.newsroom.stories import KINDS, TITLE_LIMIT, Story, read_story, retell, revise, write_story

_ENOUGH = 600
_numbers = st.integers(min_value=0, max_value=10_000_000)


def _learned(story: Story | None) -> tuple[object, ...]:
    assert story is not None, "the text does not read as a story"
    return story.kind, story.names, story.house_title, story.careless_title, story.flaws


@pytest.fixture(scope="module")
def many() -> list[Story]:
    return [write_story(11, index) for index in range(_ENOUGH)]


@given(_numbers, _numbers)
@settings(max_examples=200, deadline=None)
def test_a_reader_learns_from_the_text_what_the_writer_knew(seed: int, index: int) -> None:
    story = write_story(seed, index)
    assert _learned(read_story(story.text)) == _learned(story)


@given(_numbers, _numbers)
@settings(max_examples=100, deadline=None)
def test_the_same_story_told_elsewhere_has_other_words_and_the_same_house_title(seed: int, index: int) -> None:
    story = write_story(seed, index)
    other = retell(story, seed)
    assert other.text != story.text
    assert (other.kind, other.names, other.house_title) == (story.kind, story.names, story.house_title)
    assert _learned(read_story(other.text)) == _learned(other)


@given(_numbers, _numbers)
@settings(max_examples=100, deadline=None)
def test_a_revised_article_reads_with_its_new_figure(seed: int, index: int) -> None:
    story = write_story(seed, index)
    revised = revise(story, seed)
    assert revised.text != story.text
    assert _learned(read_story(revised.text)) == _learned(revised)
    corrected = story.kind in ("funding", "acquisition", "compilation", "benchmark")
    assert (revised.house_title != story.house_title) == corrected


def test_the_same_seed_and_index_write_the_same_story() -> None:
    assert write_story(3, 14) == write_story(3, 14)
    assert write_story(3, 14).text != write_story(4, 14).text


def test_a_story_survives_a_page_that_joins_its_lines(many: list[Story]) -> None:
    for story in many[:200]:
        assert _learned(read_story("  " + story.text.replace("\n\n", "\n   "))) == _learned(story)


def test_house_titles_keep_every_house_rule(many: list[Story]) -> None:
    broken = [(s.house_title, check(s.house_title, s.text)) for s in many if check(s.house_title, s.text)]
    assert broken == []


def test_flaws_are_what_the_house_rules_find(many: list[Story]) -> None:
    """The rules may miss a rare case (a list whose first words hide it), but never see a flaw where there is none."""
    found = [(bool(check(s.careless_title, s.text)), bool(s.flaws)) for s in many]
    assert (True, False) not in found
    assert found.count((False, True)) < 0.02 * len(many)


def test_titles_carry_the_names_they_must(many: list[Story]) -> None:
    for story in many:
        assert len(story.house_title) <= TITLE_LIMIT
        assert all(name in story.house_title and name in story.text for name in story.names)
        assert story.flaws or story.careless_title == story.house_title


def test_about_half_of_the_careless_titles_have_a_flaw(many: list[Story]) -> None:
    assert 0.4 < sum(bool(story.flaws) for story in many) / len(many) < 0.6
    tags = {flaw for story in many for flaw in story.flaws}
    assert tags == {"jargon_or_acronym", "compilation_missed", "dataset_missed", "too_long", "quoted"}


def test_every_kind_can_be_asked_for() -> None:
    assert [write_story(1, 1, kind).kind for kind in KINDS] == list(KINDS)
    with pytest.raises(KeyError):
        write_story(1, 1, "horoscope")


@pytest.mark.parametrize("text", ["", " \n ", "Parliament met on Monday.", '"', "1. " * 1000])
def test_a_text_of_another_kind_reads_as_nothing(text: str) -> None:
    assert read_story(text) is None
