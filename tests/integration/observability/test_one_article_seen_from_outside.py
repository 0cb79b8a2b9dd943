"""One article through real processes, watched as an operator would: health, metrics, logs and its one trace."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlmodel import Session, select

from copydesk.ports import WORKERS, metrics_ports
from infra.database import make_engine, migrate
from infra.observability import metrics
from infra.settings import LOOPBACK, Settings
from schemas.records import CorrectionRow, ScoreRow
from tests.ground import environment_for, free_ports, wait_until
from workers.generator.admission import WARM_UP

PATIENCE_S = 240
pytestmark = pytest.mark.timeout(400)  # ten processes start, two of them with torch


@dataclass(frozen=True)
class House:
    """`copydesk up` beside a press with one story; `article` has gone all the way, a curator's verdict included."""

    settings: Settings
    article: str

    def get(self, worker: str, path: str) -> httpx.Response:
        return httpx.get(f"http://{LOOPBACK}:{metrics_ports(self.settings)[worker]}{path}", timeout=10)

    def is_ready(self, worker: str) -> bool:
        return self.get(worker, "/readyz").text == "ok\n"

    def samples(self, worker: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """What the worker says on /metrics, by name and labels."""
        return samples(self.get(worker, "/metrics").raise_for_status().text)


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    first = free_ports(5 + len(WORKERS))
    settings = Settings(
        home=tmp_path_factory.mktemp("house"),
        kafka_port=first,
        desk_port=first + 2,
        newsroom_port=first + 3,
        model_server_port=first + 4,
        metrics_first_port=first + 5,
        kafka_heap_mb=256,
        retrain_enabled=False,
        allow_private_networks=True,
        min_poll_s=1.0,
        log_format="json",
        audit_share=0,
    )
    commands = (["newsroom", "--total", "1"], ["up"])
    processes = [_start(settings, *command) for command in commands]
    try:
        yield House(settings, _sent_all_the_way(settings))
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
            process.wait(120)


def _start(settings: Settings, *arguments: str) -> subprocess.Popen[bytes]:
    with (settings.home / f"{arguments[0]}.out").open("ab") as output:
        command = [sys.executable, "-m", "copydesk", *arguments]
        return subprocess.Popen(command, env=environment_for(settings), stdout=output, stderr=output)


def _sent_all_the_way(settings: Settings) -> str:
    """Subscribe to the one story, wait for its title and correct it."""
    press, desk = f"http://{LOOPBACK}:{settings.newsroom_port}", f"http://{LOOPBACK}:{settings.desk_port}"
    wait_until(lambda: _answers(f"{press}/healthz"), PATIENCE_S)
    opml = settings.home / "feeds.opml"
    opml.write_text(httpx.get(f"{press}/feeds.opml").raise_for_status().text)
    _copydesk(settings, "feeds", "import", str(opml))
    engine = make_engine(settings)
    migrate(engine)

    def first(query: Any) -> Any:
        with Session(engine, expire_on_commit=False) as session:
            return session.exec(query).first()

    score = wait_until(lambda: first(select(ScoreRow)), PATIENCE_S)
    verdict = {"verdict": "corrected", "text": "Words by a person", "curator": "Ana"}
    url = f"{desk}/api/titles/{score.title_id}/verdict"
    assert wait_until(lambda: httpx.post(url, json=verdict, timeout=30).status_code == 200, PATIENCE_S)
    wait_until(lambda: first(select(CorrectionRow)), PATIENCE_S)
    engine.dispose()
    return str(score.article_id)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _copydesk(settings: Settings, *arguments: str) -> str:
    command = [sys.executable, "-m", "copydesk", *arguments]
    return subprocess.run(
        command, env=environment_for(settings), check=True, capture_output=True, text=True, timeout=60
    ).stdout


def test_every_worker_is_live_and_ready(house: House) -> None:
    for worker in WORKERS:
        assert house.get(worker, "/livez").text == "ok\n"
        wait_until(partial(house.is_ready, worker), 60)


def test_its_one_trace_shows_the_work_of_all_who_had_it_in_hand(house: House) -> None:
    wanted = {"scraper", "generator", "model-server", "scorer", "archivist", "desk"}

    def written() -> dict[str, Any] | None:  # processes write their spans once a second
        (trace,) = json.loads(_copydesk(house.settings, "trace", house.article, "--json"))
        names = [span["name"] for span in trace["spans"]]
        return trace if set(trace["workers"]) == wanted and "archivist corrections" in names else None

    trace = wait_until(written, 30, every_s=0.5)

    spans = {span["span_id"]: span for span in trace["spans"]}
    parents = {span["name"]: spans[span["parent_id"]]["name"] if span["parent_id"] else None for span in trace["spans"]}
    assert parents["scraper article"] is None
    assert parents["generator articles"] == "scraper article"
    assert parents["generator model call"] == "generator articles"
    assert parents["model-server chat"] == "generator model call"
    assert parents["scorer titles"] == "generator articles"
    assert parents["archivist titles"] == "generator articles"
    assert parents["desk verdict"] == "scraper article"
    assert parents["archivist corrections"] == "desk verdict"
    assert [name for name, parent in parents.items() if parent is None] == ["scraper article"]
    tries = [span for span in trace["spans"] if span["name"] == "generator articles"]
    assert [span["failed"] for span in tries][-1] is None
    # the article may have been there before the model server had loaded anything: those tries are told as well
    assert {(span["failed"] or "Unavailable").partition(":")[0] for span in trace["spans"]} == {"Unavailable"}
    assert trace["article_id"] == house.article


def test_the_drawn_trace_is_for_people(house: House) -> None:
    drawn = _copydesk(house.settings, "trace", house.article)
    assert "scraper article" in drawn
    assert "generator model call" in drawn


def test_metrics_count_the_article_on_its_way(house: House) -> None:
    assert house.samples("scraper")["copydesk_events_sent_total", (("topic", "articles"),)] == 1
    generator = house.samples("generator")
    assert generator["copydesk_events_handled_total", (("topic", "articles"),)] == 1
    assert generator["copydesk_model_request_seconds_count", (("outcome", "answered"),)] == 1
    assert generator["copydesk_model_tokens_total", (("direction", "output"),)] > 0
    assert ("v1",) in {tuple(v for k, v in labels if k == "model_version") for _, labels in generator}
    scorer = house.samples("scorer")
    assert sum(value for (name, _), value in scorer.items() if name == "copydesk_titles_scored_total") == 1
    desk = house.samples("desk")
    assert desk["copydesk_verdicts_total", (("verdict", "corrected"),)] == 1
    assert desk["copydesk_fetched_to_published_seconds_count", (("origin", "curator"),)] == 1
    assert 0 < desk["copydesk_fetched_to_published_seconds_sum", (("origin", "curator"),)] < PATIENCE_S
    assert desk["copydesk_review_waiting_titles", ()] == 0
    retrainer = house.samples("retrainer")
    assert retrainer["copydesk_corrections_waiting", ()] == 1
    assert retrainer["copydesk_champion_info", (("model_version", "v1"), ("sequence", "1"))] == 1


def test_the_lag_is_measured_by_what_is_committed_and_comes_to_nothing(house: House) -> None:
    def behind() -> list[float]:
        said = house.samples("archivist")
        return [value for (name, _), value in said.items() if name == "copydesk_committed_lag_events"]

    wait_until(lambda: behind() and not any(behind()), 60)


def test_no_worker_says_anything_that_the_list_of_metrics_does_not_have(house: House) -> None:
    known = metrics.series()
    model_server = httpx.get(f"http://{LOOPBACK}:{house.settings.model_server_port}/metrics").raise_for_status().text
    for said in [*map(house.samples, WORKERS), samples(model_server)]:
        for name, labels in said:
            if name.startswith("copydesk_"):
                assert sorted(key for key, _ in labels) == sorted(known[name]), name
    assert samples(model_server)["copydesk_model_server_requests_total", (("status", "200"),)] == 1 + WARM_UP


def test_no_worker_speaks_of_what_only_others_know(house: House) -> None:
    speakers: dict[str, set[str]] = {}
    for worker in WORKERS:
        for name, _ in house.samples(worker):
            speakers.setdefault(name, set()).add(worker)
    assert speakers["copydesk_in_flight_events"] == {"generator", "scorer", "archivist"}
    assert speakers["copydesk_adapter_info"] == {"generator"}
    assert speakers["copydesk_review_waiting_titles"] == {"desk"}
    assert speakers["copydesk_shifted_sources"] == speakers["copydesk_flagger_recall_ratio"] == {"desk"}
    assert speakers["copydesk_training"] == {"retrainer"}
    assert speakers["copydesk_ready"] == set(WORKERS)


def test_what_may_happen_and_has_not_is_0_so_that_the_first_time_is_an_increase(house: House) -> None:
    assert house.samples("scorer")["copydesk_dead_letters_total", (("reason", "invalid"), ("topic", "titles"))] == 0
    assert house.samples("retrainer")["copydesk_training_runs_total", (("outcome", "failed"),)] == 0


def test_logs_are_json_and_name_the_worker(house: House) -> None:
    lines = (house.settings.home / "logs" / "generator.log").read_text().splitlines()
    said = [json.loads(line) for line in lines]
    assert {line["worker"] for line in said} == {"generator"}
    assert any("serves from now on" in line["message"] for line in said)


def test_a_generator_without_an_adapter_is_live_but_not_ready_and_says_why(settings: Settings) -> None:
    alone = settings.model_copy(update={"metrics_port": free_ports()})
    alone = Settings(**{name: getattr(alone, name) for name in alone.model_fields_set})
    process = _start(alone, "worker", "generator")
    try:
        base = f"http://{LOOPBACK}:{alone.metrics_port}"
        wait_until(lambda: _answers(f"{base}/livez"), 60)
        wait_until(lambda: "no adapter has been announced" in httpx.get(f"{base}/readyz").text, 60)
        assert httpx.get(f"{base}/readyz").status_code == 503
    finally:
        process.terminate()
        process.wait(60)


def test_a_worker_whose_broker_is_away_is_live_but_not_ready(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, kafka_port=free_ports(2), metrics_port=free_ports())
    process = _start(settings, "worker", "archivist")
    try:
        base = f"http://{LOOPBACK}:{settings.metrics_port}"
        wait_until(lambda: _answers(f"{base}/livez"), 60)
        said = httpx.get(f"{base}/readyz")
        assert (said.status_code, "broker" in said.text) == (503, True)
    finally:
        process.terminate()
        process.wait(60)
