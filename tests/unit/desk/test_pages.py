"""The small decisions of the pages."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from schemas.events import Verdict
from tests.desk_seed import NOW, OTHERS, TIDE, Case, article_row, score_row
from workers.desk.guard import allowed_hosts
from workers.desk.pages import VerdictForm, age, labels, lay_bench, safe_link
from workers.desk.queue import TitleOnDesk
from workers.desk.verdicts import Standing


def on_desk(case: Case, standing: Standing | None = None) -> TitleOnDesk:
    score, article = score_row(case, NOW), article_row(case, NOW)
    facts = {
        **score.model_dump(),
        **article.model_dump(),
        "title": score.text,
        "reasons": score.review_reasons,
        "queued_at": NOW,
        "earlier_titles": (),
        "standing": standing,
        "is_out": False,
    }
    return TitleOnDesk.model_validate(facts)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=20), "now"),
        (timedelta(seconds=-90), "now"),  # clocks of two machines differ
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=3), "3 d"),
    ],
)
def test_an_age_is_said_as_short_as_it_can_be(ago: timedelta, words: str) -> None:
    assert age(NOW - ago, NOW) == words


def test_labels_say_in_a_word_or_two_why_a_title_waits() -> None:
    assert labels(on_desk(TIDE)) == ["Too long", "Number not in article", "Name not in article", "Weak support"]
    assert labels(on_desk(OTHERS[-1])) == ["Random sample"]


def test_only_web_addresses_become_links() -> None:
    assert safe_link("https://ledger.example/tide") == "https://ledger.example/tide"
    for hostile in ("javascript:alert(1)", "data:text/html,x", "//ledger.example", "\njavascript:x", "http:x", ""):
        assert safe_link(hostile) == ""


def test_the_bench_suggests_the_tags_of_broken_rules() -> None:
    assert lay_bench(on_desk(TIDE), None, "Ana", ()).hints == {"too_long", "not_in_article"}


def test_a_title_that_cannot_go_out_is_not_offered_for_approval() -> None:
    assert not lay_bench(on_desk(TIDE), None, "Ana", ()).approvable
    assert lay_bench(on_desk(OTHERS[-1]), None, "Ana", ()).approvable


def test_what_was_typed_stays_in_the_form() -> None:
    typed = VerdictForm(text="Half a thought", error_tags=("dull",))
    bench = lay_bench(on_desk(TIDE), typed, "Ana", ())
    assert (bench.typed, bench.changed, bench.length) == (typed, True, 14)


def test_the_verdict_of_another_curator_is_to_be_read_only() -> None:
    standing = Standing(
        correction_id=uuid4(),
        verdict=Verdict.corrected,
        curator="Ben",
        title_after="Tides on a laptop",
        error_tags=("dull",),
        decided_at=NOW,
    )
    bench = lay_bench(on_desk(TIDE, standing), None, "Ana", ())
    assert (bench.locked, bench.typed.text) == (True, "Tides on a laptop")
    assert not lay_bench(on_desk(TIDE, standing), None, "Ben", ()).locked


def test_the_bench_knows_its_neighbours() -> None:
    around = [on_desk(case) for case in OTHERS[:3]]
    middle = lay_bench(around[1], None, "Ana", around)
    assert (middle.previous_id, middle.next_id) == (around[0].title_id, around[2].title_id)
    assert lay_bench(around[2], None, "Ana", around).next_id is None
    assert lay_bench(on_desk(TIDE), None, "Ana", around).next_id == around[0].title_id


def test_the_desk_answers_to_its_own_names_only_unless_told_otherwise() -> None:
    assert allowed_hosts("127.0.0.1", "") == {"127.0.0.1", "localhost", "[::1]"}
    assert "desk.example" in allowed_hosts("0.0.0.0", "Desk.example, other.example")
    assert allowed_hosts("0.0.0.0", "*") == frozenset()
