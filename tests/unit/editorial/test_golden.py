"""Golden examples: what counts as right, and that the file that comes along can be met."""

from __future__ import annotations

from pathlib import Path

import pytest

from editorial.golden import BadGolden, Golden, GoldenSet, load_golden
from infra.newsroom.stories import read_story

HARBOUR = Golden(
    name="harbour",
    text="Velda Labs showed 14 tools for harbours on Monday.",
    says=("Velda Labs", ("tools", "programs")),
    never=("Tuesday",),
)


@pytest.mark.parametrize(
    ("title", "objection"),
    [
        ("Velda Labs shows 14 tools for harbours", ""),
        ("velda labs shows programs for harbours", ""),
        ("Fourteen tools for harbours", "it does not say Velda Labs"),
        ("Velda Labs and the harbours", "it does not say tools or programs"),
        ("Velda Labs shows tools on Tuesday", "it says Tuesday"),
        ("Velda Labs shows 15 tools", "Number that the article does not have: 15."),
        ("", "it does not say Velda Labs"),
    ],
)
def test_a_title_is_right_or_it_is_said_what_is_wrong(title: str, objection: str) -> None:
    assert HARBOUR.objection(title) == objection


def test_so_many_may_fail_and_no_more() -> None:
    golden = GoldenSet(misses_allowed=1, examples=(HARBOUR,) * 3)
    right, wrong = "Velda Labs shows 14 tools", "Harbours"
    assert golden.judge([right, right, wrong]).met
    refused = golden.judge([right, wrong, wrong])
    assert not refused.met
    assert refused.words.startswith(
        "1 of 3 golden examples are right (may fail: 1); wrong: harbour: “Harbours”, it does"
    )


def test_the_house_titles_meet_the_examples_that_come_along() -> None:
    golden = load_golden("")
    stories = [read_story(example.text.strip()) for example in golden.examples]
    titles = [story.house_title for story in stories if story is not None]
    careless = [story.careless_title for story in stories if story is not None]
    assert golden.judge(titles).words == "10 of 10 golden examples are right (may fail: 2)"
    assert not golden.judge(careless).met


def test_a_file_that_is_missing_or_misspelt_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BadGolden, match="cannot be read: No such file"):
        load_golden(str(tmp_path / "ghost.yaml"))
    (tmp_path / "mine.yaml").write_text("examples: [{name: a, text: b, say: [c]}]")
    with pytest.raises(BadGolden, match="say"):
        load_golden(str(tmp_path / "mine.yaml"))
