"""Short made-up articles without end: the same seed gives the same ones, with revisions and with broken messages."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.envelope import Message, encode
from schemas.events import Article
from tests.samples import NOW, make_article

BROKEN_SHARE = 0.01
REVISED_SHARE = 0.15
RECENT = 200
"""A publisher changes one of so many latest articles."""
PLACES = ("harbour", "library", "market hall", "tram depot", "theatre", "hospital", "lighthouse", "town hall")
PEOPLE = ("The council", "The mayor", "A group of neighbours", "The port authority", "The school board")
DEEDS = ("opens", "repairs", "buys", "closes", "paints", "measures", "moves", "heats")
MORE = (
    "The work begins on Monday.",
    "Nobody spoke against it.",
    "Many people came to look.",
    "The money comes from the region.",
    "It had been planned for years.",
    "The neighbours asked for more trees.",
)


@dataclass(frozen=True)
class Sent:
    """A message for `articles`. `article` is None for one that nobody can read; then the key names it."""

    message: Message
    article: Article | None

    @property
    def name(self) -> str:
        """Tells this message from all others, however often it is sent."""
        return str(self.article.event_id) if self.article else self.message.key.decode()


def articles(seed: int) -> Iterator[Sent]:
    """One after the other; the first messages have one of each kind of breakage among them."""
    draw = random.Random(f"articles {seed}")
    recent: list[Article] = []
    breakages = 0
    number = 0
    while True:
        number += 1
        if number in range(10, 10 + 5 * len(BREAKAGES), 5) or draw.random() < BROKEN_SHARE:
            yield Sent(_broken(make_article(number), breakages), None)
            breakages += 1
            continue
        if recent and draw.random() < REVISED_SHARE:
            place = draw.randrange(len(recent))
            before = recent[place]
            article = before.model_copy(update={"revision": before.revision + 1, "text": _text(draw, number)})
            recent[place] = article
        else:
            article = make_article(number, text=_text(draw, number))
            recent = [*recent[-RECENT:], article]
        yield Sent(encode(article, source="chaos", time=NOW), article)


def _text(draw: random.Random, number: int) -> str:
    first = f"{draw.choice(PEOPLE)} {draw.choice(DEEDS)} the {draw.choice(PLACES)}."
    return " ".join([first, *draw.sample(MORE, draw.randint(1, 3)), f"This was decision {number} of the year."])


def _broken(article: Article, kind: int) -> Message:
    good = encode(article, source="chaos", time=NOW)
    value, headers = BREAKAGES[kind % len(BREAKAGES)](good)
    return Message(key=good.key, value=value, headers=headers)


BREAKAGES = (
    lambda good: (b"{broken", good.headers),
    lambda good: (b"", good.headers),
    lambda good: (bytes(range(256)), good.headers),
    lambda good: (b'{"article_id": "42"}', good.headers),
    lambda good: (good.value, ()),
    lambda good: (good.value, tuple((name, b"\xff" + raw) for name, raw in good.headers)),
)
