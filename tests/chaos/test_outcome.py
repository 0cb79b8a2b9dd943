"""The judge of the chaos runs is judged: each promise that is broken on purpose is told, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas.topics import ARTICLES, PUBLISHED, REVIEW, TITLES
from tests.chaos.feeder import Position
from tests.chaos.outcome import Evidence, Letter, Rows, Seen, problems

GENERATOR, SCORER, ARCHIVIST = "copydesk.generator", "copydesk.scorer", "copydesk.archivist"


def evidence() -> Evidence:
    """Two revisions of an article published, a doubtful one in review, one that nobody can read; one repetition."""
    first, second, doubtful = Seen("a1", "a", 1), Seen("a2", "a", 2), Seen("b1", "b", 1)
    rows: Rows = {"titles": {("a1",): {"text": "A"}, ("a2",): {"text": "B"}, ("b1",): {"text": "C"}}}
    return Evidence(
        sent={"a1", "a2", "b1"},
        broken={"x"},
        topics={
            ARTICLES.name: [first, second, doubtful],
            TITLES.name: [first, second, first, doubtful],
            PUBLISHED.name: [first, second, first],
            REVIEW.name: [doubtful],
        },
        letters=[Letter(ARTICLES.name, group, "x", "", "not JSON") for group in (GENERATOR, ARCHIVIST)],
        unchanged=True,
        expected_rows=rows,
        rows={"titles": dict(rows["titles"])},
        row_counts={"titles": 3},
        positions=[Position(SCORER, TITLES.name, 0, 4, 4)],
    )


def drop_title(found: Evidence) -> None:
    for name in (TITLES.name, PUBLISHED.name):
        found.topics[name] = [seen for seen in found.topics[name] if seen.id != "a2"]


def drop_row(found: Evidence) -> None:
    found.rows = {"titles": {("a1",): {"text": "A"}, ("b1",): {"text": "C"}}}
    found.row_counts = {"titles": 2}


BROKEN_PROMISES: list[tuple[str, Callable[[Evidence], object]]] = [
    ("1 lost: a2", drop_title),
    ("1 lost: x", lambda found: found.letters.clear()),
    ("1 on a topic, but never sent: a1", lambda found: found.sent.discard("a1")),
    ("both published and in review: b1", lambda found: found.topics[PUBLISHED.name].append(Seen("b1", "b", 1))),
    ("titled, but neither judged nor buried: b1", lambda found: found.topics[REVIEW.name].clear()),
    ("both judged and buried: a1", lambda found: found.letters.append(Letter("titles", SCORER, "a", "a1", "?"))),
    ("not buried by each of its readers: x by copydesk.archivist", lambda found: found.letters.pop()),
    ("buried for another reason", lambda found: found.letters.append(Letter("titles", ARCHIVIST, "a", "a1", "?"))),
    ("overtaken by a later revision: titles a revision 1", lambda found: found.topics[TITLES.name].pop(0)),
    ("not committed to the end: copydesk.scorer titles-0 3 of 4", lambda found: shorten(found)),
    ("missing in the table titles: ('a2',)", drop_row),
    ("in the table titles, but on no topic", lambda found: found.rows["titles"].update({("z",): {}})),
    ("different in the table titles", lambda found: found.rows["titles"].update({("a1",): {"text": "Z"}})),
    ("1 rows of the database are there twice", lambda found: found.row_counts.update(titles=4)),
    ("a dead letter is not the message", lambda found: setattr(found, "unchanged", False)),
    ("still running: 17 java", lambda found: found.still_running.append("17 java")),
    ("ended and no fault explains it: scorer", lambda found: found.unexplained.append("scorer")),
]


def shorten(found: Evidence) -> None:
    found.positions = [replace(found.positions[0], committed=3)]


def test_repetitions_are_no_problem() -> None:
    assert problems(evidence()) == []


@pytest.mark.parametrize(("told", "break_it"), BROKEN_PROMISES, ids=[told[:40] for told, _ in BROKEN_PROMISES])
def test_a_broken_promise_is_told(told: str, break_it: Callable[[Evidence], object]) -> None:
    found = evidence()
    break_it(found)
    assert any(told in problem for problem in problems(found)), problems(found)
