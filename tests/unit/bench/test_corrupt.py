from __future__ import annotations

import re

from infra.newsroom.archive import Line
from tests.bench.flagger.corrupt import NAME, NUMBER, OTHER, TRUE, Case, cases

FILLER = "The town council met again on Tuesday evening to talk about it, and many people came to listen. " * 20
PLACES = ("Amberg", "Emden", "Fulda", "Goslar", "Hamm", "Jena", "Kiel", "Leer", "Mainz", "Norden")


def archive() -> list[Line]:
    """Ten towns, each with a number of its own, and one article that has all digits."""
    lines = [
        _line(place, f"{place} opens {number} bridges", f"Yesterday {place} opened {number} bridges. " * 10 + FILLER)
        for number, place in enumerate(PLACES, 12)
    ]
    digits = " ".join(map(str, range(10)))
    return [*lines, _line("Digits", "Council of Kiel votes 5 times", f"In Kiel {digits} were called. Kiel. " + FILLER)]


def _line(name: str, title: str, text: str) -> Line:
    return Line(id=name, url=f"https://example.org/{name}", source="the source", title=title, text=text)


def by_kind(kind: str) -> list[Case]:
    return [case for case in cases(archive(), 11, seed=1) if case.kind == kind]


def test_every_headline_comes_as_published_and_with_another_one_of_its_source() -> None:
    published = {case.article: case.title for case in by_kind(TRUE)}

    assert len(published) == 11
    assert all(published[case.article] != case.title for case in by_kind(OTHER))


def test_a_swapped_name_and_a_changed_number_are_not_in_the_article() -> None:
    published = {case.article: case.title for case in by_kind(TRUE)}
    swapped, changed = by_kind(NAME), by_kind(NUMBER)

    for case in (*swapped, *changed):
        (new,) = set(case.title.split()) - set(published[case.article].split())
        assert not re.search(rf"\b{new}\b", case.text)
    assert len(swapped) == 11
    assert len(changed) == 10


def test_where_the_article_has_every_number_that_could_stand_there_none_is_changed() -> None:
    assert "times" not in " ".join(case.title for case in by_kind(NUMBER))
