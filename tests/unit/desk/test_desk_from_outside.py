"""What the desk shows to those who run it: how it is, how much waits, and its part of an article's trace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Engine
from sqlmodel import SQLModel

from infra.database import make_engine
from infra.observability import metrics, tracing
from infra.observability.trace_files import traces_of
from infra.settings import Settings
from schemas.envelope import decode
from schemas.events import Article
from tests.desk_seed import NOW, OTHERS, TIDE, RecordingBroker, put
from workers.desk.desk import Desk
from workers.desk.verdicts import Submission
from workers.desk.worker import show

VERDICT = Submission.model_validate({"verdict": "corrected", "text": "Tides by computer", "curator": "Ana"})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def engine(settings: Settings) -> Engine:
    made = make_engine(settings)
    SQLModel.metadata.create_all(made)
    return made


@pytest.fixture
def broker() -> RecordingBroker:
    return RecordingBroker()


@pytest.fixture
def desk(engine: Engine, broker: RecordingBroker) -> Desk:
    return Desk(engine, broker, lambda: NOW)


@pytest.fixture(autouse=True)
def nothing_started() -> Iterator[None]:
    yield
    tracing.stop()


@pytest.fixture(autouse=True)
def labels_known_from_the_start() -> None:
    metrics.FETCHED_TO_PUBLISHED.labels("curator")
    metrics.VERDICTS.labels("corrected")


def said(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None, f"nobody says {name}"
    return value


def test_how_many_wait_is_counted_at_the_moment_of_asking(settings: Settings, engine: Engine, desk: Desk) -> None:
    show(settings, desk)
    assert said("copydesk_review_waiting_titles") == 0
    put(engine, TIDE, *OTHERS)
    assert said("copydesk_review_waiting_titles") == desk.progress().waiting > 1


def test_it_is_ready_when_it_serves_and_the_database_answers(settings: Settings, engine: Engine, desk: Desk) -> None:
    condition = show(settings, desk)
    assert said("copydesk_ready") == 0
    condition.started()
    assert said("copydesk_ready") == 1
    SQLModel.metadata.drop_all(engine)
    assert said("copydesk_ready") == 0
    assert condition.live() is None, "a restart would not bring the database back"
    assert str(said("copydesk_review_waiting_titles")) == "nan"


def test_a_verdict_counts_with_the_whole_time_since_the_page_was_fetched(
    engine: Engine, desk: Desk, broker: RecordingBroker
) -> None:
    put(engine, TIDE)
    before = said("copydesk_fetched_to_published_seconds_sum", origin="curator")
    desk.judge(TIDE.title_id, VERDICT)
    waited = said("copydesk_fetched_to_published_seconds_sum", origin="curator") - before
    assert waited == pytest.approx((NOW - desk.title(TIDE.title_id).fetched_at).total_seconds())
    assert waited >= timedelta(minutes=TIDE.minutes_ago).total_seconds() > 0


def test_a_verdict_that_the_broker_did_not_take_counts_nowhere(
    engine: Engine, desk: Desk, broker: RecordingBroker
) -> None:
    put(engine, TIDE)
    before = said("copydesk_verdicts_total", verdict="corrected")
    broker.down = True
    with pytest.raises(Exception, match="no Kafka broker"):
        desk.judge(TIDE.title_id, VERDICT)
    assert said("copydesk_verdicts_total", verdict="corrected") == before


def test_a_verdict_belongs_to_the_trace_that_the_scraper_began(
    settings: Settings, engine: Engine, desk: Desk, broker: RecordingBroker
) -> None:
    put(engine, TIDE)
    tracing.start(settings, "desk")
    desk.judge(TIDE.title_id, VERDICT)
    tracing.stop()

    trace_id = f"{tracing.trace_id_of(Article.event_id_of(TIDE.article_id, TIDE.revision)):032x}"
    (spans,) = traces_of(settings.home, str(TIDE.article_id)).values()
    assert [(span.trace_id, span.name) for span in spans] == [(trace_id, "desk verdict")]
    carried = {decode(message.value, message.headers).traceparent for _, message in broker.sent}
    assert carried == {f"00-{trace_id}-{spans[0].span_id}-01"}
