"""The articles that everybody gets: real events of ours in real envelopes, the same in every run."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from infra.newsroom.stories import write_story
from schemas.envelope import Message, encode
from tests.samples import NOW, make_article

STORIES = 200


def messages(start: int, count: int, *, small: bool) -> Iterator[Message]:
    """`count` encoded articles from number `start` on, with ids of their own; the same in every run. Small ones have a
    text of 50 characters.

    Each of the stories is encoded once and then only given other ids: a million would take minutes otherwise.
    """
    numbers = range(1 if small else STORIES)
    articles = [make_article(n) if small else make_article(n, text=write_story(5, n).text) for n in numbers]
    moulds = [(str(article.article_id).encode(), encode(article, source="bench", time=NOW)) for article in articles]
    for number in range(start, start + count):
        article_id, mould = moulds[number % len(moulds)]
        key = str(UUID(int=2 * number)).encode()
        event_id = str(UUID(int=2 * number + 1)).encode()
        headers = tuple((name, event_id if name == "ce_id" else raw) for name, raw in mould.headers)
        yield Message(key=key, value=mould.value.replace(article_id, key), headers=headers)
