"""The rules on the simulated press, where it is known what is wrong with a title."""

from __future__ import annotations

from itertools import pairwise

import pytest

from editorial.rules import check
from editorial.tags import TAG_OF_RULE
from infra.newsroom.stories import Story, retell, write_story

STORIES = [write_story(41, number) for number in range(600)]


@pytest.mark.parametrize("told", [STORIES, [retell(story, 7) for story in STORIES]], ids=["first", "retold"])
def test_what_the_house_writes_breaks_no_rule(told: list[Story]) -> None:
    assert [(s.house_title, v.reason) for s in told for v in check(s.house_title, s.text)] == []


def test_what_the_careless_hand_does_wrong_is_found_and_nothing_else() -> None:
    wrong = [
        (story.careless_title, found, story.flaws)
        for story in STORIES
        if (found := {TAG_OF_RULE[v.rule] for v in check(story.careless_title, story.text)}) != story.flaws
    ]

    assert wrong == []


def test_a_name_from_another_story_is_found() -> None:
    caught = 0
    swapped = [
        (story.house_title.replace(story.facts["company"], other.facts["company"]), story.text)
        for story, other in pairwise(STORIES)
        if story.facts["company"] in story.house_title and other.facts["company"] not in story.text
    ]
    for title, text in swapped:
        caught += "name_not_in_article" in {v.rule for v in check(title, text)}

    assert len(swapped) > 200
    assert caught / len(swapped) >= 0.97


def test_half_a_name_from_another_story_is_found() -> None:
    mixed = [
        (story.house_title.replace(story.facts["company"], f"{first} {second}"), story.text)
        for story, other in pairwise(STORIES)
        if story.facts["company"] in story.house_title
        if (first := story.facts["company"].split()[0]) and (second := other.facts["company"].split()[1])
        if f"{first} {second}" not in story.text
    ]

    caught = sum("name_not_in_article" in {v.rule for v in check(title, text)} for title, text in mixed)

    assert caught / len(mixed) >= 0.97


def test_a_sum_from_another_story_is_found() -> None:
    sums = [story for story in STORIES if "amount" in story.facts and f"${story.facts['amount']} " in story.house_title]
    changed = [
        (story.house_title.replace(f"${story.facts['amount']} ", f"${other.facts['amount']} "), story.text)
        for story, other in pairwise(sums)
        if f"{other.facts['amount']} million" not in story.text
    ]

    caught = sum("number_not_in_article" in {v.rule for v in check(title, text)} for title, text in changed)

    assert len(changed) > 50
    assert caught == len(changed)
