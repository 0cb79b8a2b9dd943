"""A built data set leaks nothing, repeats nothing, and has what was asked for and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.learning_samples import NOW, article_row, correction_row, tale
from training.dataset import HOLDOUT, TRAIN, VALIDATION, Example, Origin, Rules, Tables, choose, is_held_out
from training.dataset.build import COPY, ENOUGH, OLDER, TWIN, build

NAMES = UUID("0b9d1b0e-5a6c-4b7e-8a60-2c6f3f3b8f0d")


def story(number: int, *, held_out: bool = False) -> UUID:
    """A story of its own for every number, on the wished side."""
    return next(one for turn in range(99) if is_held_out(one := uuid5(NAMES, f"{number} {turn}")) is held_out)


def example(number: int, *, text: str = "", held_out: bool = False, title: str = "A title", day: int = 0) -> Example:
    return Example(
        example_id=f"example-{number:04}",
        article_id=uuid5(NAMES, f"article {number}"),
        revision=1,
        story_id=story(number, held_out=held_out),
        text=text or tale(number).text,
        title=title,
        origin=Origin.correction,
        split=TRAIN,
        at=NOW + timedelta(days=day),
    )


def retold(text: str, swaps: Sequence[int]) -> str:
    """The same words but for a few, as a second paper prints an agency's article."""
    words = text.split()
    for place in swaps:
        words[place % len(words)] = f"replaced{place}"
    return " ".join(words)


CORPORA = st.lists(
    st.tuples(
        st.integers(0, 5),  # which text it retells
        st.lists(st.integers(0, 400), max_size=4),  # with which words replaced
        st.booleans(),  # is its own story held out?
        st.integers(0, 8),  # when
    ),
    max_size=14,
)


def leaks(examples: Sequence[Example]) -> list[tuple[Example, Example]]:
    """Pairs across a border with the same story, or of which one retells the other: by their words, without MinHash."""

    def runs(text: str) -> set[tuple[str, ...]]:
        words = text.casefold().split()
        return {tuple(words[at : at + 4]) for at in range(len(words) - 3)}

    known = [(one, runs(one.text)) for one in examples]
    return [
        (one, other)
        for at, (one, first) in enumerate(known)
        for other, second in known[:at]
        if one.split != other.split
        and (one.story_id == other.story_id or len(first & second) / len(first | second) >= 0.6)
    ]


@settings(deadline=None, max_examples=60)
@given(CORPORA, st.sampled_from([None, 4]))
def test_no_retelling_of_a_story_gets_across_a_border(
    corpus: list[tuple[int, list[int], bool, int]], border: int | None
) -> None:
    candidates = [
        example(number, text=retold(tale(which).text, swaps), held_out=held_out, day=day)
        for number, (which, swaps, held_out, day) in enumerate(corpus)
    ]
    rules = Rules(validation_share=0.4, held_out_from=NOW + timedelta(days=border) if border else None)
    built = build(candidates, rules)
    assert leaks(built.examples) == []
    assert not [one for one in built.examples if one.split != HOLDOUT and is_held_out(one.story_id)]
    if border:
        assert not [one for one in built.examples if one.split != HOLDOUT and one.at >= rules.held_out_from]  # type: ignore[operator]
    assert build(candidates[::-1], rules).examples == built.examples
    assert set(built.fate) == {one.example_id for one in candidates}


def test_the_leak_would_be_seen() -> None:
    first, second = example(1), replace(example(2, text=retold(tale(1).text, [3])), split=HOLDOUT)
    assert leaks([first, second])


def test_what_retells_a_held_out_article_that_nobody_judged_is_not_trained_on() -> None:
    chain = [example(1, text=retold(tale(1).text, [2])), replace(example(2), story_id=story(1)), example(3)]
    built = build(chain, Rules(), held_out_texts=[tale(1).text])
    assert built.fate == {"example-0001": TWIN, "example-0002": TWIN, "example-0003": TRAIN}
    assert built.left_out == Counter({TWIN.removeprefix("left out: "): 2})


def test_of_two_copies_the_newer_correction_is_kept() -> None:
    text = tale(1).text
    approved = replace(example(1, text=text, day=9), origin=Origin.approval)
    built = build([approved, example(2, text=text, day=1), example(3, text=retold(text, [5]), day=2)], Rules())
    assert [one.example_id for one in built.examples] == ["example-0003"]
    assert Counter(built.fate.values()) == {TRAIN: 1, COPY: 2}


def test_validation_takes_whole_stories_from_the_training_side_only() -> None:
    pairs = [replace(example(number), story_id=story(number // 2)) for number in range(60)]
    held = [example(number, held_out=True) for number in range(60, 70)]
    counts = Counter(one.split for one in build([*pairs, *held], Rules(validation_share=0.3)).examples)
    assert counts[HOLDOUT] == 10
    assert 6 <= counts[VALIDATION] <= 30
    assert not counts[VALIDATION] % 2
    assert counts.total() == 70
    assert VALIDATION not in Counter(one.split for one in build(pairs, Rules()).examples)


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (Rules(without_origins=frozenset({"approval"})), {1, 3, 4}),
        (Rules(without_models=frozenset({"v1"})), {2, 3, 4}),
        (Rules(without_prompts=frozenset({"v2"})), {1, 2, 4}),
        (Rules(without_curators=frozenset({"bob"})), {1, 2, 3}),
        (Rules(without_sources=frozenset({"The Gazette"})), {1, 2, 4}),
        (Rules(since=NOW + timedelta(days=2), until=NOW + timedelta(days=4)), {2, 3}),
    ],
)
def test_a_source_can_be_left_out(rules: Rules, left: set[int]) -> None:
    candidates = [
        replace(example(1, day=1), model_version="v1"),
        replace(example(2, day=2), origin=Origin.approval),
        replace(example(3, day=3), prompt_version="v2", source="The Gazette"),
        replace(example(4, day=4), curator="bob"),
    ]
    built = build(candidates, rules)
    assert {int(one.example_id[-4:]) for one in built.examples} == left
    assert built.left_out.total() == 4 - len(left)


def test_older_examples_come_along_by_their_share_with_something_of_every_kind() -> None:
    tags = [("jargon",)] * 12 + [("quotes",)] * 3 + [()] * 15
    older = [replace(example(number), error_tags=tag) for number, tag in enumerate(tags)]
    new = [example(number) for number in range(40, 46)]
    ids = {one.example_id for one in new}
    built = build([*older, *new], Rules(older_share=0.6), new=ids)
    kept = [one for one in built.examples if one.example_id not in ids]
    assert len(built.examples) - len(kept) == 6
    assert Counter(one.error_tags for one in kept) == {("jargon",): 3, ("quotes",): 3, (): 3}
    assert built.left_out[OLDER.removeprefix("left out: ")] == 21
    assert len(build([*older, *new], Rules(), new=ids).examples) == 36
    assert {one.example_id for one in build([*older, *new], Rules(older_share=0), new=ids).examples} == ids
    assert len(build(older, Rules(older_share=0.5), new=set()).examples) == 30, "nothing is new: all is old"


def test_no_kind_of_error_outweighs_the_others() -> None:
    tags = [("jargon",)] * 8 + [("jargon", "quotes")] * 2 + [("quotes",)] * 2 + [()] * 5
    candidates = [replace(example(number, day=number), error_tags=tag) for number, tag in enumerate(tags)]
    built = build(candidates, Rules(most_per_tag=3))
    assert Counter(one.error_tags for one in built.examples) == {
        ("quotes",): 2,
        ("jargon", "quotes"): 2,
        ("jargon",): 1,
        (): 3,
    }
    assert built.left_out[ENOUGH.removeprefix("left out: ")] == 9


def test_the_fate_of_every_correction_is_told() -> None:
    articles = [article_row(number, story_id=story(number)) for number in range(4)]
    articles.append(article_row(4, story_id=story(4), allowed=False))
    articles.append(article_row(5, story_id=story(5, held_out=True)))
    articles[1].text = articles[0].text
    rows = [correction_row(article, f"Title {index}", minute=index) for index, article in enumerate(articles)]
    rows[2].verdict = "approved"
    rows[3].verdict = "approved"
    tables = Tables(rows, articles, audited={rows[3].title_id}, trained=set())
    selection = choose(tables, Rules(without_origins=frozenset({"approval"})))
    assert {
        row.title_after: use.split for row in rows for use in selection.uses if use.article_id == row.article_id
    } == {
        "Title 0": COPY,
        "Title 1": TRAIN,
        "Title 2": "left out: origin approval is not wanted",
        "Title 3": TRAIN,
        "Title 4": "left out: the site reserves text and data mining",
        "Title 5": HOLDOUT,
    }
    assert [one.origin for one in selection.of(TRAIN)].count(Origin.audit) == 1
    assert selection.counts[TRAIN] == 2


def test_a_correction_whose_article_retells_one_that_is_held_out_is_not_trained_on() -> None:
    articles = [article_row(1, story_id=story(1)), article_row(2, story_id=story(2, held_out=True))]
    articles[1].text = retold(articles[0].text, [4, 40])
    rows = [correction_row(articles[0], "A title")]
    selection = choose(Tables(rows, articles, set(), set()), Rules())
    assert [use.split for use in selection.uses] == [TWIN]
    assert selection.examples == ()


def test_corrections_that_were_trained_on_are_the_older_ones() -> None:
    articles = [article_row(number, story_id=story(number)) for number in range(8)]
    rows = [correction_row(article, f"Title {index}") for index, article in enumerate(articles)]
    trained = {row.correction_id for row in rows[:6]}
    selection = choose(Tables(rows, articles, set(), trained), Rules(older_share=0.5))
    assert Counter(use.split for use in selection.uses) == {TRAIN: 4, OLDER: 4}
    assert {row.correction_id for row in rows[6:]} <= {
        use.correction_id for use in selection.uses if use.split == TRAIN
    }


def test_another_data_set_is_mixed_in_as_older_examples_and_keeps_its_held_out_side() -> None:
    articles = [article_row(number, story_id=story(number)) for number in range(4)]
    rows = [correction_row(article, f"Title {index}") for index, article in enumerate(articles)]
    further = [replace(example(number), origin=Origin.teacher) for number in range(10, 16)]
    further.append(replace(example(16), split=HOLDOUT))
    selection = choose(Tables(rows, articles, set(), set()), Rules(older_share=0.5), further)
    assert Counter((one.split, one.origin) for one in selection.examples) == {
        (TRAIN, Origin.correction): 4,
        (TRAIN, Origin.teacher): 4,
        (HOLDOUT, Origin.correction): 1,
    }
