"""The simulated press' writing: stories about invented companies, and the reading of them. Pure and deterministic."""

from infra.newsroom.stories.reader import read_story
from infra.newsroom.stories.story import TITLE_LIMIT, Story
from infra.newsroom.stories.writer import ARTICLE_WORDS, KINDS, retell, revise, write_story

__all__ = ["ARTICLE_WORDS", "KINDS", "TITLE_LIMIT", "Story", "read_story", "retell", "revise", "write_story"]
