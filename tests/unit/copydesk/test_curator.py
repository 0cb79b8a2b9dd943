"""The scripted curator decides from what stands on the desk: the text, the title, the broken rules."""

from __future__ import annotations

import pytest

from copydesk.demo.curator import judge
from editorial.rules import check
from infra.newsroom.stories import KINDS, Story, read_story, write_story


def _read(seed: int, index: int, kind: str) -> Story:
    story = read_story(write_story(seed, index, kind).text)
    assert story is not None
    return story


def _broken(title: str, story: Story) -> tuple[str, ...]:
    return tuple(violation.rule for violation in check(title, story.text))


@pytest.mark.parametrize("kind", KINDS)
def test_a_house_title_is_approved_as_it_stands(kind: str) -> None:
    story = _read(3, 1, kind)

    judgement = judge(story.house_title, story, _broken(story.house_title, story))

    assert (judgement.verdict, judgement.text, judgement.error_tags) == ("approved", story.house_title, ())


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_title_is_written_anew(kind: str) -> None:
    story = _read(3, 2, kind)

    judgement = judge("", story, _broken("", story))

    assert (judgement.verdict, judgement.text) == ("corrected", story.house_title)
    assert judgement.error_tags


def test_a_title_that_names_somebody_else_is_corrected_even_when_no_rule_speaks_against_it() -> None:
    story = _read(3, 3, "funding")

    judgement = judge("Start-up raises money", story, ())

    assert judgement.verdict == "corrected"
    assert judgement.error_tags == ("not_in_article",)
