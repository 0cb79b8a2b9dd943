"""What `make bench-streams` feeds and writes; the measuring itself is no test."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.envelope import decode
from schemas.events import Article, Title
from tests.bench.streams import report
from tests.bench.streams.competitors import table
from tests.bench.streams.figures import Figures, Load
from tests.bench.streams.job import Job, answer
from tests.bench.streams.payloads import messages

COMPETITORS: set[table.Competitor] = set(table.WITH_CALL) | set(table.PASS_THROUGH) | set(table.LATENCY)


@pytest.mark.parametrize("small", [True, False])
def test_the_articles_are_real_ones_and_no_two_have_the_same_key(small: bool) -> None:
    fed = list(messages(0, 450, small=small))
    opened = [decode(message.value, message.headers) for message in fed]
    assert all(isinstance(envelope.event, Article) for envelope in opened)
    assert [envelope.event.key.encode() for envelope in opened] == [message.key for message in fed]
    assert len({envelope.event.key for envelope in opened}) == len({envelope.event_id for envelope in opened}) == 450


def test_the_articles_are_the_same_in_every_run_wherever_it_begins() -> None:
    assert list(messages(0, 300, small=False))[250:] == list(messages(250, 50, small=False))


def test_the_work_makes_a_title_over_the_article() -> None:
    message = next(messages(0, 1, small=False))
    title = decode((closed := answer(message.value, list(message.headers))).value, closed.headers).event
    assert isinstance(title, Title)
    assert title.article == decode(message.value, message.headers).event


def test_a_job_survives_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job("127.0.0.1:1", "/x", "articles", "titles", "group", 4, 32, 0.02)
    monkeypatch.setattr("sys.argv", ["worker", job.to_argument()])
    assert Job.from_command_line() == job


@pytest.mark.parametrize("competitor", sorted(COMPETITORS, key=str), ids=lambda one: one.name)
def test_every_competitor_has_its_program(competitor: table.Competitor) -> None:
    assert (Path(table.__file__).parent / f"{competitor.module}.py").is_file()


def measured(per_s: float) -> list[Load]:
    return [Load(per_s=per_s * part, titles=100, cpu_us=300, repeated=0) for part in (0.5, 1, 3)]


def figures() -> Figures:
    made = Figures(in_flight=32, rounds=3, seconds=5, rate=200, load_before=0.1, work_us=100)
    for one, per_s in zip((table.COPYDESK, table.PLAIN, table.QUIX), (900.0, 600.0, 1800.0), strict=True):
        made.with_call[one.name] = measured(per_s)
        made.offered[one.name] = 200
        made.latency_ms[one.name] = [[per_s / 30] * 99 + [per_s / 3]] * 3
    made.sizes = {10_000: [(10_000, 2000.0), (9_999, 1000.0), (10_000, 4000.0)]}
    made.memory = [(number * 100, 80.0) for number in range(101)]
    return made


def test_the_ratios_come_first_and_are_of_medians() -> None:
    text = report.markdown(figures())
    assert "| **aiokafka by hand** | at least once | 1.50 | – | 1.50 | 1.50 |" in text
    assert "| **Quix Streams** | at least once | 0.50 | – | 0.50 | 0.50 |" in text
    assert text.index("### Ratios") < text.index("### With the 20 ms call")
    assert "| 10,000 | 9,999 | **2000** | 500 µs | 3 |" in text


def test_the_figures_replace_the_former_ones_and_nothing_else(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text(f"before\n\n{report.MARKS[0]}\nold\n{report.MARKS[1]}\n\nafter\n")
    report.write_between_marks(document, "new\n")
    report.write_between_marks(document, "newer\n")
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\n\nafter\n")
    assert "newer" in text
    assert not {"old", "new"} & set(text.split())


def test_a_document_without_marks_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text("no marks here\n")
    with pytest.raises(ValueError):
        report.write_between_marks(document, "new\n")
    assert document.read_text() == "no marks here\n"


def test_the_document_has_the_marks_that_the_figures_go_between() -> None:
    text = Path("docs/benchmarks.md").read_text()
    assert text.count(report.MARKS[0]) == text.count(report.MARKS[1]) == 1
