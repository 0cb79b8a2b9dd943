"""Examples are found by what an article is about."""

from __future__ import annotations

from uuid import UUID, uuid4

import numpy as np
import pytest

from editorial.embedding import Embedder
from editorial.similar import Curated, Shelf, shown

HARBOUR, BANK, VOICE = (
    "Ships are invited to the new harbour on Monday. The quay is long enough for the largest freighters.",
    "The bank lends money at a lower rate. Its customers pay less for their houses.",
    "A model that listens to speech runs on phones. It needs no network to write down what is said.",
)
OTHER_STORY = UUID(int=0)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def example(text: str, title: str, *, story: UUID | None = None, article: UUID | None = None) -> Curated:
    return Curated(article or uuid4(), story or uuid4(), text, title)


def shelf_of(embedder: Embedder, *examples: Curated, most: int = 100) -> Shelf:
    shelf = Shelf(most)
    for one, vector in zip(examples, embedder.embed([one.text for one in examples]), strict=True):
        shelf.put(one, vector)
    return shelf


def test_a_vector_has_unit_length_and_does_not_depend_on_its_neighbours(embedder: Embedder) -> None:
    together = embedder.embed([HARBOUR, BANK * 40, ""])
    assert np.linalg.norm(together, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert together[0] == pytest.approx(embedder.embed([HARBOUR])[0], abs=1e-5)
    assert embedder.embed([]).shape == (0, 384)


def test_strange_texts_have_a_vector(embedder: Embedder) -> None:
    assert np.isfinite(embedder.embed(["\ud800", "\0", "😀" * 2000, "x" * 100_000])).all()


def test_the_nearest_example_stands_last_and_what_is_too_far_is_left_out(embedder: Embedder) -> None:
    shelf = shelf_of(embedder, example(BANK, "bank"), example(HARBOUR, "harbour"), example(VOICE, "voice"))
    asked = embedder.embed(["Freighters come to the port: the quay was made longer."])[0]
    assert [one.title for one in shelf.nearest(asked, 3, -1.0, story_id=OTHER_STORY)][-1] == "harbour"
    assert [one.title for one in shelf.nearest(asked, 3, 0.4, story_id=OTHER_STORY)] == ["harbour"]
    assert shelf.nearest(asked, 3, 0.999, story_id=OTHER_STORY) == []
    assert shelf.nearest(asked, 0, 0.0, story_id=OTHER_STORY) == []


def test_the_same_story_is_never_an_example_and_no_story_is_shown_twice(embedder: Embedder) -> None:
    story = uuid4()
    shelf = shelf_of(embedder, example(HARBOUR, "one", story=story), example(HARBOUR, "two", story=story))
    asked = embedder.embed([HARBOUR])[0]
    assert shelf.nearest(asked, 2, 0.5, story_id=story) == []
    assert len(shelf.nearest(asked, 2, 0.5, story_id=OTHER_STORY)) == 1


def test_the_newest_title_of_an_article_holds_and_the_oldest_articles_make_room(embedder: Embedder) -> None:
    article = uuid4()
    shelf = shelf_of(
        embedder,
        example(BANK, "first"),
        example(HARBOUR, "second", article=article),
        example(HARBOUR, "third", article=article),
        most=2,
    )
    asked = embedder.embed([HARBOUR])[0]
    assert [one.title for one in shelf.nearest(asked, 2, -1.0, story_id=OTHER_STORY)] == ["first", "third"]
    shelf.put(example(VOICE, "fourth"), embedder.embed([VOICE])[0])
    assert {one.title for one in shelf.nearest(asked, 3, -1.0, story_id=OTHER_STORY)} == {"third", "fourth"}
    shelf.remove(article)
    assert len(shelf) == 1


def test_a_prompt_shows_how_an_article_begins_up_to_a_whole_word() -> None:
    (begins, title) = shown([example("The harbour\n opens " + "wide " * 100, "Harbour opens")], characters=30)[0]
    assert (begins, title) == ("The harbour opens wide wide …", "Harbour opens")
