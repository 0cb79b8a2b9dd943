"""Traces: derived ids, parents over process borders, files that stay small, and the tree a person sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from copydesk.trace import as_dict, draw, find, in_order, run
from infra.observability import tracing
from infra.observability.exporters import FileExporter
from infra.observability.trace_files import Span, traces_of
from infra.settings import Settings
from schemas.errors import Invalid
from tests.samples import make_article

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ARTICLE = make_article()
KEY = str(ARTICLE.article_id)


@pytest.fixture(autouse=True)
def nothing_started() -> Iterator[None]:
    yield
    tracing.stop()


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Settings]:
    def begin(service: str, **changes: object) -> Settings:
        tracing.stop()
        settings = Settings.model_validate({"home": tmp_path, **changes})
        tracing.start(settings, service)
        return settings

    return begin


def ids(traceparent: str) -> tuple[str, str, str]:
    _, trace_id, span_id, flags = traceparent.split("-")
    return trace_id, span_id, flags


def test_without_a_start_a_traceparent_is_passed_on_as_it_came() -> None:
    came = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with tracing.span("scorer titles", came) as goes:
        assert goes == came


def test_without_a_start_and_without_a_parent_there_is_a_valid_traceparent_all_the_same() -> None:
    with tracing.span("scorer titles") as goes:
        trace_id, span_id, flags = ids(goes)
    assert (len(trace_id), len(span_id), flags) == (32, 16, "00")
    assert int(trace_id, 16)
    assert int(span_id, 16)


@pytest.mark.parametrize(
    "hostile", ["x" * 70_000, "00-" + "0" * 32 + "-b7ad6b7169203331-01", "00-zz-zz-01", "ÿ\r\nx: y"]
)
@pytest.mark.parametrize("started", [False, True])
def test_a_traceparent_that_is_none_begins_a_new_trace(
    start: Callable[..., Settings], hostile: str, *, started: bool
) -> None:
    if started:
        start("scorer")
    with tracing.span("scorer titles", hostile) as goes:
        assert [len(part) for part in goes.split("-")] == [2, 32, 16, 2]
        assert hostile not in goes
        assert int(goes.split("-")[1], 16)


def test_a_revision_s_trace_is_known_to_whoever_knows_the_revision(start: Callable[..., Settings]) -> None:
    start("scraper")
    at_the_scraper = tracing.begun(ARTICLE.event_id)
    start("desk")

    assert tracing.begun(ARTICLE.event_id_of(ARTICLE.article_id, ARTICLE.revision)) == at_the_scraper
    assert ids(tracing.begun(ARTICLE.event_id_of(ARTICLE.article_id, 2)))[0] != ids(at_the_scraper)[0]


def test_one_article_is_one_trace_over_several_processes(start: Callable[..., Settings]) -> None:
    settings = start("scraper")
    tracing.first("scraper article", ARTICLE.event_id, NOW, NOW + timedelta(seconds=1), key=KEY, revision=1)
    header = tracing.begun(ARTICLE.event_id)
    start("generator")
    with tracing.span("generator articles", header, key=KEY) as title_header, tracing.span("generator model call"):
        tracing.note(output_tokens=7)
    start("archivist")
    with tracing.span("archivist titles", title_header, key=KEY):
        pass
    tracing.stop()

    (spans,) = traces_of(settings.home, KEY).values()

    assert [(depth, span.name, span.worker) for depth, span in in_order(spans)] == [
        (0, "scraper article", "scraper"),
        (1, "generator articles", "generator"),
        (2, "generator model call", "generator"),
        (2, "archivist titles", "archivist"),
    ]
    assert next(span for span in spans if span.name == "generator model call").attributes == {"output_tokens": 7}


def test_a_failed_try_is_marked_and_its_exception_goes_on(start: Callable[..., Settings]) -> None:
    settings = start("scorer")
    with pytest.raises(Invalid), tracing.span("scorer titles", tracing.begun(ARTICLE.event_id), key=KEY):
        raise Invalid("no such language")
    tracing.stop()
    assert "Traceback" not in (settings.home / "traces" / "scorer.jsonl").read_text()

    (spans,) = traces_of(settings.home, KEY).values()
    assert spans[0].failed == "Invalid: no such language"


def test_a_trace_that_is_not_sampled_is_passed_on_and_recorded_nowhere(start: Callable[..., Settings]) -> None:
    settings = start("scraper", trace_share=0)
    header = tracing.begun(ARTICLE.event_id)
    tracing.first("scraper article", ARTICLE.event_id, NOW, NOW, key=KEY)
    start("generator", trace_share=1)  # the scraper has decided: half a trace is no use
    with tracing.span("generator articles", header, key=KEY) as goes:
        pass
    tracing.stop()

    assert ids(goes)[0] == ids(header)[0]
    assert ids(goes)[2] == "00"
    assert traces_of(settings.home, KEY) == {}


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_desk_decides_about_an_article_as_the_scraper_did(start: Callable[..., Settings], share: float) -> None:
    settings = start("scraper", trace_share=share)
    events = [uuid4() for _ in range(400)]
    for event_id in events:
        tracing.first("scraper article", event_id, NOW, NOW, key=str(event_id))
    said = {f"{tracing.trace_id_of(event_id):032x}" for event_id in events if tracing.begun(event_id).endswith("-01")}
    tracing.stop()

    recorded = {trace_id for event_id in events for trace_id in traces_of(settings.home, str(event_id))}
    assert said == recorded
    assert abs(len(said) / len(events) - share) < 0.1


def span_of(name: str = "scorer titles") -> ReadableSpan:
    return ReadableSpan(name, attributes={"key": KEY, "padding": "x" * 400}, start_time=1, end_time=2)


def test_the_files_stay_within_their_limit_and_the_newest_spans_are_kept(tmp_path: Path) -> None:
    exporter = FileExporter(tmp_path / "traces" / "scorer.jsonl", limit=20_000)
    for number in range(200):
        exporter.export([span_of(f"span {number}")])

    size = sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl"))
    assert 5_000 < size <= 20_000
    assert '"span 199"' in (tmp_path / "traces" / "scorer.jsonl").read_text().splitlines()[-1]


def test_a_folder_that_cannot_be_written_costs_the_spans_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "traces").write_text("a file where the folder should be")
    result = FileExporter(tmp_path / "traces" / "scorer.jsonl", limit=20_000).export([span_of()])
    assert result.name == "FAILURE"


def test_a_half_written_line_hides_no_other_span(start: Callable[..., Settings]) -> None:
    settings = start("scorer")
    with tracing.span("scorer titles", tracing.begun(ARTICLE.event_id), key=KEY):
        pass
    tracing.stop()
    path = settings.home / "traces" / "scorer.jsonl"
    path.write_text(path.read_text()[:100] + "\n" + path.read_text())

    (spans,) = traces_of(settings.home, KEY).values()
    assert [span.name for span in spans] == ["scorer titles"]


def a_span(name: str, span_id: str, parent_id: str = "", *, at: float = 0.0, seconds: float = 1.0) -> Span:
    began = NOW + timedelta(seconds=at)
    return Span("t", span_id, parent_id, name, "scorer", began, began + timedelta(seconds=seconds), "", {"key": KEY})


def test_a_span_whose_parent_was_lost_stands_at_the_top() -> None:
    spans = [a_span("child", "b", "a", at=1), a_span("grandchild", "c", "b", at=2)]
    assert [(depth, span.name) for depth, span in in_order(spans)] == [(0, "child"), (1, "grandchild")]


def test_the_drawing_says_when_and_how_long() -> None:
    table = draw([a_span("whole", "a", seconds=8), a_span("half", "b", "a", at=4, seconds=4)])
    cells = [[str(cell) for cell in column.cells] for column in table.columns]
    assert cells[0] == ["whole", "  half"]
    assert cells[1] == ["+0.0 ms", "+4.00 s"]
    assert cells[2] == ["8.00 s", "4.00 s"]
    assert [len(bar) - len(bar.lstrip()) for bar in cells[3]] == [0, 16]
    assert as_dict([a_span("whole", "a", seconds=8)])["seconds"] == 8.0


def test_the_command_takes_an_address_and_the_first_characters_and_names_what_is_ambiguous(
    start: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = start("scraper")
    others = [UUID(int=0xABC << 116), UUID(int=(0xABC << 116) + 1)]
    for key in [KEY, *map(str, others)]:
        tracing.first("scraper article", uuid4(), NOW, NOW, key=key)
    tracing.stop()

    assert find(settings, ARTICLE.canonical_url) == find(settings, KEY) == find(settings, KEY[:8].upper())
    with pytest.raises(Invalid, match="2 articles"):
        find(settings, "abc")
    with pytest.raises(Invalid, match="no span of article 'feed'"):
        find(settings, "feed")
    assert run(settings, KEY, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)[0]["article_id"] == KEY


def test_where_spans_go_to_a_collector_the_command_names_the_trace_there(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, trace_endpoint="http://collector:4318")
    with pytest.raises(Invalid, match=f"{tracing.trace_id_of(ARTICLE.event_id_of(ARTICLE.article_id, 1)):032x}"):
        find(settings, KEY)
