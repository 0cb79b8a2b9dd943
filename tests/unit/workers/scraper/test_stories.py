"""The same story on two sites is found; unrelated ones stay apart."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from infra.newsroom.stories import Story, retell, revise, write_story
from workers.scraper.stories import WINDOW, StoryIndex, Told, features

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SPACE = UUID(int=0)


def tell(index: StoryIndex, name: str, story: Story, at: datetime = NOON) -> UUID:
    """Add the story under the id made of `name`; returns the story's id."""
    article_id, found = uuid5(SPACE, name), features(story.headline, story.text)
    story_id = index.story_of(article_id, found)
    index.add(article_id, Told(story_id, index.keep(found), at))
    return story_id


def test_nine_of_ten_retold_stories_are_found_and_one_in_fifty_others_confused_at_most() -> None:
    index, rng = StoryIndex(), random.Random(3)
    ids: list[UUID] = []
    found, retold, confused = 0, 0, 0
    for number in range(200):
        ids.append(tell(index, f"{number}", write_story(5, number)))
        confused += ids[-1] != uuid5(SPACE, f"{number}")
        if number >= 8 and number % 4 == 0:
            before = rng.randint(number - 8, number)
            found += tell(index, f"retold {number}", retell(write_story(5, before), 9)) == ids[before]
            retold += 1
    assert found >= 0.9 * retold
    assert confused <= 4


def test_a_revision_stays_in_its_story_and_is_not_counted_twice() -> None:
    index, story = StoryIndex(), write_story(1, 3)
    first = tell(index, "a", story)
    assert tell(index, "a", revise(story, 1)) == first
    assert len(index) == 1


def test_the_first_two_articles_ever_are_not_one_story() -> None:
    index = StoryIndex()
    assert tell(index, "a", write_story(1, 1)) != tell(index, "b", write_story(1, 2))


def test_last_weeks_story_is_forgotten() -> None:
    index, story = StoryIndex(), write_story(1, 3)
    tell(index, "a", story)
    index.prune(NOON + WINDOW + timedelta(seconds=1))
    assert len(index) == 0
    assert tell(index, "b", retell(story, 1)) == uuid5(SPACE, "b")


def test_an_article_without_words_is_a_story_of_its_own() -> None:
    index = StoryIndex()
    empty = Story(kind="", headline="", text="", names=(), careless_title="", house_title="", flaws=frozenset())
    assert tell(index, "a", empty) != tell(index, "b", empty)
