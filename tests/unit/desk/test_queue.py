"""Which titles wait, in which order, and what the desk remembers while the projection lags behind."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel

from editorial.acronyms import Vocabulary
from infra.database import make_engine
from infra.settings import Settings
from schemas.envelope import decode
from schemas.errors import Transient
from schemas.events import Correction, ScoredTitle
from schemas.records import CorrectionRow, PublicationRow
from tests.desk_seed import NOW, OTHERS, TIDE, Case, RecordingBroker, put
from workers.desk.desk import Desk, Unknown
from workers.desk.queue import QueueItem
from workers.desk.verdicts import AlreadyJudged, Submission

BETTER = "Nine-day tide forecasts run on an office computer"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = make_engine(Settings(home=tmp_path))
    SQLModel.metadata.create_all(made)
    return made


@pytest.fixture
def broker() -> RecordingBroker:
    return RecordingBroker()


@pytest.fixture
def desk(engine: Engine, broker: RecordingBroker) -> Desk:
    return Desk(engine, broker, lambda: NOW)


def submit(verdict: str = "corrected", text: str = BETTER, curator: str = "Ana") -> Submission:
    return Submission.model_validate({"verdict": verdict, "text": text, "curator": curator})


def titles(items: Sequence[QueueItem]) -> list[str]:
    return [item.title for item in items]


def project(engine: Engine, correction: Correction) -> None:
    """What the archivist does a moment later."""
    with Session(engine) as session:
        session.merge(CorrectionRow.model_validate({**correction.model_dump(), "error_tags": []}))
        session.commit()


def publish(engine: Engine, case: Case, text: str) -> None:
    """What the archivist keeps of a title that went out."""
    publication = {
        "event_id": case.title_id,
        "title_id": case.title_id,
        "article_id": case.article_id,
        "revision": case.revision,
        "text": text,
        "origin": "curator",
        "verdict": "corrected",
        "correction_id": None,
        "published_at": NOW,
    }
    with Session(engine) as session:
        session.add(PublicationRow.model_validate(publication))
        session.commit()


def test_the_worst_come_first_and_random_samples_last(engine: Engine, desk: Desk) -> None:
    put(engine, *OTHERS, TIDE)
    waiting = desk.waiting(10)
    assert waiting[0].title_id == TIDE.title_id
    assert waiting[-1].audit
    keys = [(item.audit, -len(item.violations), item.precision) for item in waiting]
    assert keys == sorted(keys)
    assert titles(desk.waiting(2)) == titles(waiting)[:2]


def test_the_likeliest_to_be_wrong_come_before_the_least_supported(engine: Engine, desk: Desk) -> None:
    known = [Case(f"n{p}", "h", "A title.", "A title", precision=p, probability=p) for p in (0.3, 0.9, 0.6)]
    put(engine, *known)
    assert [item.probability for item in desk.waiting(10)] == [0.9, 0.6, 0.3]


def test_the_random_sample_comes_in_the_order_it_was_drawn_in_and_not_the_worst_first(
    engine: Engine, desk: Desk
) -> None:
    drawn = [Case(f"n{p}", "h", "A title.", "A title", precision=p, audit=True) for p in (0.3, 0.9, 0.6)]
    put(engine, *(replace(case, minutes_ago=30 - at) for at, case in enumerate(drawn)))
    assert [item.precision for item in desk.waiting(10)] == [0.3, 0.9, 0.6]
    put(engine, *(replace(case, minutes_ago=30 + at) for at, case in enumerate(drawn)))
    assert [item.precision for item in desk.waiting(10)] == [0.6, 0.9, 0.3]


def test_every_tenth_title_is_of_the_random_sample_however_much_is_flagged(engine: Engine, desk: Desk) -> None:
    flagged = [Case(f"flagged {at}", "h", "A title.", "A title") for at in range(25)]
    drawn = [Case(f"drawn {at}", "h", "A title.", "A title", precision=1.0, audit=True) for at in range(4)]
    put(engine, *flagged, *drawn)
    shown = []
    for _ in range(21):
        (first,) = desk.waiting(1)
        shown.append(first.audit)
        project(engine, desk.judge(first.title_id, submit("approved", "")))
    assert [place for place, audit in enumerate(shown, 1) if audit] == [10, 20]


def test_a_random_sample_that_comes_first_is_not_shown_twice(engine: Engine, desk: Desk) -> None:
    flagged = [Case(f"flagged {at}", "h", "A title.", "A title") for at in range(10)]
    put(engine, *flagged, Case("drawn", "h", "A title.", "A title", precision=1.0, audit=True))
    for case in flagged[:9]:
        desk.judge(case.title_id, submit("approved", ""))
    assert [item.audit for item in desk.waiting(50)] == [True, False]


def test_published_judged_and_superseded_titles_do_not_wait(engine: Engine, desk: Desk) -> None:
    out = Case("out", "Out", "It is out.", "It is out", decision="publish")
    old = Case("twice", "Twice", "The first text.", "The first title")
    new = replace(old, revision=2, text="The second text.", title="The second title")
    put(engine, TIDE, out, old, new)
    project(engine, desk.judge(TIDE.title_id, submit()))
    assert titles(desk.waiting(10)) == ["The second title"]
    assert desk.progress().waiting == 1


def test_earlier_titles_of_an_article_are_shown_with_what_became_of_them(engine: Engine, desk: Desk) -> None:
    old = Case("twice", "Twice", "The first text.", "The first title")
    new = replace(old, revision=2, text="The second text.", title="The second title")
    put(engine, old, new)
    project(engine, desk.judge(old.title_id, submit("approved", "")))
    (earlier,) = desk.title(new.title_id).earlier_titles
    assert (earlier.text, earlier.revision, earlier.verdict) == ("The first title", 1, "approved")


def test_a_verdict_is_one_correction_and_one_publication_acknowledged_together(
    engine: Engine, desk: Desk, broker: RecordingBroker
) -> None:
    put(engine, TIDE)
    correction = desk.judge(TIDE.title_id, submit())
    events = [decode(message.value, message.headers) for _, message in broker.sent]
    assert [topic.name for topic, _ in broker.sent] == ["corrections", "published"]
    assert events[0].event == correction
    assert isinstance(events[1].event, ScoredTitle)
    assert (events[1].event.text, events[1].event.correction_id) == (BETTER, correction.correction_id)
    assert {message.key for _, message in broker.sent} == {str(TIDE.article_id).encode()}


def test_a_judged_title_is_gone_before_the_projection_knows(engine: Engine, desk: Desk) -> None:
    put(engine, TIDE, *OTHERS)
    before = desk.progress()
    correction = desk.judge(TIDE.title_id, submit())
    assert TIDE.title not in titles(desk.waiting(50))
    assert (desk.progress().waiting, desk.progress().judged_today) == (before.waiting - 1, 1)
    project(engine, correction)
    assert (desk.progress().waiting, desk.progress().judged_today) == (before.waiting - 1, 1)


def test_the_same_verdict_twice_is_sent_once(engine: Engine, desk: Desk, broker: RecordingBroker) -> None:
    put(engine, TIDE)
    assert desk.judge(TIDE.title_id, submit()) == desk.judge(TIDE.title_id, submit())
    assert len(broker.sent) == 2


def test_two_clicks_at_the_same_moment_are_one_verdict(engine: Engine, desk: Desk, broker: RecordingBroker) -> None:
    put(engine, TIDE)
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: desk.judge(TIDE.title_id, submit()), range(8)))
    assert len({correction.correction_id for correction in given}) == 1
    assert len(broker.sent) == 2


def test_after_a_restart_the_same_verdict_has_the_same_id_and_hour(
    engine: Engine, desk: Desk, broker: RecordingBroker
) -> None:
    put(engine, TIDE)
    first = desk.judge(TIDE.title_id, submit())
    project(engine, first)
    restarted = Desk(engine, broker, lambda: NOW + timedelta(hours=2))
    assert restarted.judge(TIDE.title_id, submit()) == first
    assert broker.sent[:2] == broker.sent[2:]


def test_of_two_curators_the_first_decides(engine: Engine, desk: Desk, broker: RecordingBroker) -> None:
    put(engine, TIDE)
    desk.judge(TIDE.title_id, submit(curator="Ana"))
    with pytest.raises(AlreadyJudged, match="Ana"):
        desk.judge(TIDE.title_id, submit(text="Tides on a laptop", curator="Ben"))
    assert len(broker.sent) == 2


def test_a_changed_mind_comes_later_than_the_verdict_it_replaces(engine: Engine, desk: Desk) -> None:
    put(engine, TIDE)
    first = desk.judge(TIDE.title_id, submit())
    second = desk.judge(TIDE.title_id, submit(text="Harbours forecast tides nine days ahead"))
    assert second.decided_at > first.decided_at  # the clock of this test stands still
    standing = desk.title(TIDE.title_id).standing
    assert standing is not None
    assert standing.title_after == second.title_after


def test_a_title_that_is_out_cannot_be_spiked(engine: Engine, desk: Desk) -> None:
    put(engine, TIDE, replace(OTHERS[0], decision="publish"))
    desk.judge(TIDE.title_id, submit())
    for title_id in (TIDE.title_id, OTHERS[0].title_id):
        with pytest.raises(AlreadyJudged):
            desk.judge(title_id, submit("spiked", ""))


def test_when_the_broker_is_down_nothing_counts_as_judged(engine: Engine, desk: Desk, broker: RecordingBroker) -> None:
    put(engine, TIDE)
    broker.down = True
    with pytest.raises(Transient):
        desk.judge(TIDE.title_id, submit())
    assert titles(desk.waiting(5)) == [TIDE.title]
    broker.down = False
    desk.judge(TIDE.title_id, submit())
    assert desk.waiting(5) == []


def test_a_title_that_nobody_wrote_is_unknown(desk: Desk) -> None:
    with pytest.raises(Unknown):
        desk.judge(TIDE.title_id, submit())


def test_the_day_is_counted_from_the_projection(engine: Engine, desk: Desk) -> None:
    put(engine, TIDE, *OTHERS)
    for case, seconds, hours_ago in ((TIDE, 90.0, 0), (OTHERS[3], 30.0, 0), (OTHERS[0], 600.0, 48)):
        correction = desk.judge(case.title_id, submit(text=f"A better title for {case.slug}"))
        moved = {"decided_at": NOW - timedelta(hours=hours_ago), "seconds_spent": seconds}
        project(engine, correction.model_copy(update=moved))
    publish(engine, TIDE, BETTER)
    day = desk.progress()
    assert (day.judged_today, day.published_today, day.minutes_per_title) == (2, 1, 1.0)
    assert day.verdicts_today == {"corrected": 2}


def test_a_title_that_is_out_for_the_story_may_not_go_out_again(
    engine: Engine, desk: Desk, broker: RecordingBroker
) -> None:
    elsewhere = Case("elsewhere", "Tides", "The same news.", "Tides", story=TIDE.slug)
    unrelated = Case("unrelated", "Ships", "x", "y")
    put(engine, TIDE, elsewhere, unrelated)
    publish(engine, elsewhere, BETTER)
    publish(engine, unrelated, "Tides on an office computer")

    def broken(text: str) -> list[str]:
        return [violation.rule for violation in desk.check(TIDE.title_id, text)[1]]

    assert broken(BETTER.upper()) == ["repeated"]
    assert broken("Tides on an office computer") == []
    desk.judge(TIDE.title_id, submit())
    out = decode(broker.sent[1][1].value, broker.sent[1][1].headers).event
    assert isinstance(out, ScoredTitle)
    assert [violation.rule for violation in out.violations] == ["repeated"]


def test_words_that_curators_struck_are_known_for_titles_of_the_version_that_learned_them(
    engine: Engine, broker: RecordingBroker
) -> None:
    taught = {"v2": Vocabulary(specialist=("office",))}
    desk = Desk(engine, broker, lambda: NOW, lambda version: taught.get(version, Vocabulary()))
    put(engine, TIDE, replace(OTHERS[0], model_version="v2"))

    def broken(case: Case) -> list[str]:
        return [violation.rule for violation in desk.check(case.title_id, "A dataset for every office")[1]]

    assert "jargon" not in broken(TIDE)
    assert "jargon" in broken(replace(OTHERS[0], model_version="v2"))
