"""What the desk reads from the projection about the flagger's quality, and how it says so."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel

from copydesk.quality import in_words
from editorial.drift import RECENT
from infra.database import make_engine
from infra.settings import Settings
from schemas.records import CorrectionRow, ModelVersionRow
from tests.desk_seed import NOW, OTHERS, TIDE, Case, RecordingBroker, put
from workers.desk.app import make_app
from workers.desk.desk import Desk
from workers.desk.quality import QualityReport, report
from workers.desk.verdicts import Submission
from workers.desk.watch import Watch

FLAGGED = Case("flagged", "Tides", "The tide rises on Monday.", "Tide rises", minutes_ago=60)
AUDITED = replace(FLAGGED, slug="audited", audit=True)
OUT = replace(FLAGGED, slug="out", decision="publish")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = make_engine(Settings(home=tmp_path))
    SQLModel.metadata.create_all(made)
    register(made, "v1")
    return made


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return Desk(engine, RecordingBroker(), lambda: NOW)


def register(engine: Engine, version: str) -> None:
    facts = dict.fromkeys(("artefact_uri", "digest", "base_model", "base_revision", "dataset_hash"), "x")
    facts |= {"version": version, "prompt_version": "v3", "prompt_digest": "x"}
    row = ModelVersionRow.model_validate({**facts, "parent": None, "config": {}, "metrics": {}, "created_at": NOW})
    with Session(engine) as session:
        session.add(row)
        session.commit()


def judge(desk: Desk, engine: Engine, case: Case, verdict: str) -> CorrectionRow:
    """A verdict, and the archivist."""
    text = f"{case.title} at last" if verdict == "corrected" else ""
    submission = Submission.model_validate({"verdict": verdict, "text": text, "curator": "Ana"})
    given = desk.judge(case.title_id, submission)
    row = CorrectionRow.model_validate({**given.model_dump(), "error_tags": []})
    with Session(engine, expire_on_commit=False) as session:
        session.add(row)
        session.commit()
    return row


def seen(engine: Engine) -> QualityReport:
    with Session(engine) as session:
        return report(session, NOW)


def test_verdicts_are_counted_by_why_the_title_was_shown(engine: Engine, desk: Desk) -> None:
    flagged = [replace(FLAGGED, slug=f"flagged {at}") for at in range(4)]
    audited = [replace(AUDITED, slug=f"audited {at}") for at in range(3)]
    put(engine, *flagged, *audited, OUT)
    for case, verdict in zip(
        (*flagged, *audited), ("corrected", "approved", "spiked", "", "approved", ""), strict=False
    ):
        if verdict:
            judge(desk, engine, case, verdict)

    found = seen(engine).flagger.counts

    assert (found.flagged, found.flagged_judged, found.flagged_corrected) == (4, 2, 1)
    assert (found.unflagged, found.audited, found.audited_corrected) == (4, 1, 0)


def test_only_the_latest_verdict_on_a_title_counts(engine: Engine, desk: Desk) -> None:
    put(engine, FLAGGED)
    first = judge(desk, engine, FLAGGED, "approved")
    changed = {"correction_id": OUT.title_id, "verdict": "corrected", "decided_at": NOW + timedelta(hours=1)}
    with Session(engine) as session:
        session.add(CorrectionRow.model_validate(first.model_dump() | changed))
        session.commit()

    found = seen(engine).flagger.counts

    assert (found.flagged_judged, found.flagged_corrected) == (1, 1)


def test_a_published_title_that_somebody_corrects_is_no_part_of_the_random_sample(engine: Engine, desk: Desk) -> None:
    put(engine, AUDITED, OUT)
    judge(desk, engine, AUDITED, "approved")
    judge(desk, engine, OUT, "corrected")

    found = seen(engine).flagger

    assert found.missed is not None
    assert (found.missed.estimate, found.missed.low) == (0.0, 0.0)
    assert found.counts.flagged_judged == 0


def test_titles_of_a_teacher_and_old_ones_are_left_out(engine: Engine) -> None:
    put(engine, replace(FLAGGED, model_version="a-teacher"), replace(FLAGGED, slug="old", minutes_ago=31 * 24 * 60))

    assert seen(engine).flagger.counts.flagged == 0


def test_what_was_told_is_held_against_what_became_of_it(engine: Engine, desk: Desk) -> None:
    """Of 30 titles that were let through two were drawn: each stands for fifteen."""
    sure = [replace(FLAGGED, slug=f"sure {at}", probability=0.9) for at in range(4)]
    drawn = [replace(AUDITED, slug=f"drawn {at}", probability=0.1) for at in range(2)]
    ruled = replace(FLAGGED, slug="ruled", probability=0.15)
    out = [replace(OUT, slug=f"out {at}", probability=0.1) for at in range(28)]
    put(engine, *sure, *drawn, ruled, *out, replace(FLAGGED, slug="before"))
    for case in (*sure[:3], ruled):
        judge(desk, engine, case, "corrected")
    for case in drawn:
        judge(desk, engine, case, "approved")

    low, high = seen(engine).calibration

    assert (low.low, low.high, low.judged, high.judged) == (0.0, 0.2, 3, 3)
    assert low.corrected.estimate == pytest.approx(
        1.5 / 31.5
    )  # the flagged ones, of which 4 of 6 are judged, count 1.5
    assert low.told == pytest.approx((0.1 * 30 + 0.15 * 1.5) / 31.5)
    assert high.told == pytest.approx(0.9)
    assert high.corrected.estimate == 1.0
    assert high.corrected.low < 0.5
    page = TestClient(make_app(Settings(), desk), base_url="http://127.0.0.1").get("/quality").text
    assert "80% to 100%" in page
    assert "told 90%: corrected 100%" in in_words(seen(engine))


def scored(source: str, at: int, precision: float, version: str = "v1") -> Case:
    minutes = 20_000 - at
    return replace(
        OUT, slug=f"{source} {at} {version}", source=source, precision=precision, minutes_ago=minutes,
        model_version=version,
    )  # fmt: skip


def test_a_source_that_shifts_is_named_in_metric_log_page_and_command(
    engine: Engine, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(1)
    steady = [scored("Byline Weekly", at, chance.gauss(0.7, 0.05)) for at in range(200)]
    torn = [scored("Inland Courier", at, chance.gauss(0.7 if at < 200 - RECENT else 0.5, 0.05)) for at in range(200)]
    put(engine, *steady, *torn)
    watch = Watch(desk)
    with caplog.at_level(logging.INFO, "workers.desk.watch"):
        watch.look()
        watch.look()

    assert REGISTRY.get_sample_value("copydesk_shifted_sources") == 1
    assert [line.levelname for line in caplog.records] == ["WARNING"], "once, not at every look"
    assert "the scores of Inland Courier have fallen" in caplog.text
    page = TestClient(make_app(Settings(), desk), base_url="http://127.0.0.1").get("/quality").text
    assert "The scores of Inland Courier have fallen" in page
    assert "Byline Weekly" not in page
    assert "the scores of Inland Courier have fallen" in in_words(seen(engine))


def test_another_model_version_is_no_shift_of_the_source(engine: Engine) -> None:
    chance = random.Random(1)
    register(engine, "v2")
    put(engine, *(scored("Inland Courier", at, chance.gauss(0.7, 0.05)) for at in range(200)))
    put(engine, *(scored("Inland Courier", at, chance.gauss(0.5, 0.05), "v2") for at in range(200, 300)))

    assert seen(engine).shifts == ()


def test_the_metrics_say_nothing_while_the_database_is_away(engine: Engine, desk: Desk) -> None:
    put(engine, FLAGGED, AUDITED)
    judge(desk, engine, FLAGGED, "corrected")
    watch = Watch(desk)
    watch.look()
    said = {
        bound: REGISTRY.get_sample_value("copydesk_flagger_precision_ratio", {"bound": bound})
        for bound in ("estimate", "low", "high")
    }
    assert said == {"estimate": 1.0, "low": pytest.approx(0.2065, abs=1e-3), "high": 1.0}
    assert str(REGISTRY.get_sample_value("copydesk_flagger_recall_ratio", {"bound": "low"})) == "nan"

    SQLModel.metadata.drop_all(engine)
    watch.look()

    assert str(REGISTRY.get_sample_value("copydesk_flagger_precision_ratio", {"bound": "estimate"})) == "nan"
    assert str(REGISTRY.get_sample_value("copydesk_shifted_sources")) == "nan"


def test_copies_show_in_the_wording_of_the_version_that_makes_them(engine: Engine) -> None:
    register(engine, "v2")
    text = "The tide rises on Monday in the old harbour."
    put(
        engine,
        replace(FLAGGED, text=text, title="The tide rises on Monday", minutes_ago=1, model_version="v2"),
        replace(FLAGGED, slug="own", text=text, title="Monday brings high water", minutes_ago=2),
        replace(FLAGGED, slug="none", text=text, title=" ", minutes_ago=3),
    )

    copier, writer = seen(engine).wording

    assert (copier.model_version, copier.copied, copier.novel) == ("v2", 1.0, 0.0)
    assert (writer.model_version, writer.copied, writer.novel, writer.titles) == ("v1", 0.25, 1.0, 1)


def test_the_page_and_the_api_say_it_before_there_is_anything_to_say(desk: Desk) -> None:
    client = TestClient(make_app(Settings(), desk), base_url="http://127.0.0.1")

    assert "Nobody can tell yet" in client.get("/quality").text
    assert client.get("/api/quality").json()["flagger"]["recall"] is None
    assert client.get("/api/quality?days=0").status_code == 422


def test_a_hostile_source_is_text_on_the_page(engine: Engine, desk: Desk) -> None:
    chance = random.Random(1)
    torn = [scored("<script>alert(1)</script>", at, 0.7 if at < 140 else chance.random() / 2) for at in range(200)]
    put(engine, *torn, TIDE, *OTHERS)

    page = TestClient(make_app(Settings(), desk), base_url="http://127.0.0.1").get("/quality").text

    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page
