"""Corrections become a dataset that never leaks."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.training import MISSING_ARTICLE
from tests.learning_samples import article_row, correction_row
from training.dataset import HOLDOUT, TRAIN, Origin, is_held_out, select_examples, select_holdout, write_snapshot

TRAINED_STORY = next(UUID(int=number) for number in range(100) if not is_held_out(UUID(int=number)))
HELD_OUT_STORY = next(UUID(int=number) for number in range(100) if is_held_out(UUID(int=number)))

CORPORA = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 3), st.uuids() | st.sampled_from([TRAINED_STORY, HELD_OUT_STORY])),
    max_size=30,
    unique_by=lambda entry: entry[:2],
)


@settings(deadline=None)
@given(CORPORA)
def test_no_story_and_no_article_is_ever_on_both_sides(corpus: list[tuple[int, int, UUID]]) -> None:
    articles = [article_row(number, revision=revision, story_id=story) for number, revision, story in corpus]
    corrections = [correction_row(article, f"Title {index}", minute=index) for index, article in enumerate(articles)]
    trained = select_examples(corrections, articles).of(TRAIN)
    held_out = select_holdout(articles, limit=1000)
    assert not {one.story_id for one in trained} & {one.story_id for one in held_out}
    assert not {one.article_id for one in trained} & {one.article_id for one in held_out}


@settings(deadline=None)
@given(CORPORA)
def test_each_held_out_story_is_evaluated_once_by_its_newest_text(corpus: list[tuple[int, int, UUID]]) -> None:
    articles = [article_row(number, revision=revision, story_id=story) for number, revision, story in corpus]
    held_out = select_holdout(articles, limit=1000)
    assert len({one.story_id for one in held_out}) == len(held_out)
    newest = {one.article_id: max(x.revision for x in held_out if x.article_id == one.article_id) for one in held_out}
    assert all(one.revision == newest[one.article_id] for one in held_out)
    assert held_out == select_holdout(reversed(articles), limit=1000)
    assert held_out[:3] == select_holdout(articles, limit=3)


def test_about_three_in_ten_stories_are_held_out_and_always_the_same() -> None:
    chosen = [is_held_out(UUID(int=number)) for number in range(2000)]
    assert 0.27 < sum(chosen) / len(chosen) < 0.33
    assert chosen == [is_held_out(UUID(int=number)) for number in range(2000)]


def test_the_latest_verdict_on_an_article_holds() -> None:
    article = article_row(1, story_id=TRAINED_STORY)
    early, late = correction_row(article, "Early", minute=1), correction_row(article, "Late", minute=2)
    selection = select_examples([late, early], [article])
    assert [example.title for example in selection.of(TRAIN)] == ["Late"]
    assert {use.correction_id: use.split for use in selection.uses} == {
        late.correction_id: TRAIN,
        early.correction_id: "left out: a later verdict on the article holds",
    }


def test_every_correction_is_accounted_for_with_its_reason() -> None:
    open_one, reserved = article_row(1, story_id=TRAINED_STORY), article_row(2, story_id=TRAINED_STORY, allowed=False)
    held, spiked = article_row(3, story_id=HELD_OUT_STORY), article_row(4, story_id=TRAINED_STORY)
    missing = article_row(5)
    rows = [correction_row(one, "Title") for one in (open_one, reserved, held, missing)]
    rows.append(correction_row(spiked, "", verdict="spiked"))
    selection = select_examples(rows, [open_one, reserved, held, spiked])
    by_article = {use.article_id: use.split for use in selection.uses}
    assert by_article == {
        open_one.article_id: TRAIN,
        reserved.article_id: "left out: the site reserves text and data mining",
        held.article_id: HOLDOUT,
        spiked.article_id: "left out: no title to learn",
        missing.article_id: MISSING_ARTICLE,
    }
    assert [example.article_id for example in selection.of(TRAIN)] == [open_one.article_id]


def test_approvals_are_learned_from_as_well() -> None:
    article = article_row(1, story_id=TRAINED_STORY)
    selection = select_examples([correction_row(article, "Good as it was", verdict="approved")], [article])
    assert [(example.title, example.origin) for example in selection.of(TRAIN)] == [("Good as it was", Origin.approval)]


def test_a_snapshot_is_named_by_its_content_and_the_order_of_corrections_does_not_matter(tmp_path: Path) -> None:
    articles = [article_row(number, story_id=TRAINED_STORY) for number in range(6)]
    rows = [correction_row(article, f"Title {index}") for index, article in enumerate(articles)]
    first = write_snapshot(select_examples(rows, articles).examples, tmp_path)
    second = write_snapshot(select_examples(rows[::-1], articles[::-1]).examples, tmp_path)
    other = write_snapshot(select_examples(rows[:-1], articles).examples, tmp_path)
    assert (first.hash, first.folder) == (second.hash, second.folder)
    assert other.hash != first.hash
    lines = [json.loads(line) for line in (first.folder / "train.jsonl").read_text().splitlines()]
    assert {line["title"] for line in lines} == {f"Title {index}" for index in range(6)}
    assert json.loads((first.folder / "manifest.json").read_text())["hash"] == first.hash
