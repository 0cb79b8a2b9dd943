"""A teacher's titles on the desk: sent, archived by the real worker, judged, counted, and learned from."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid5

import pytest
from sqlmodel import Session, func, select
from typer.testing import CliRunner

from copydesk.curation import title_id
from copydesk.main import app
from infra.database import make_engine, migrate
from infra.kafka import read_whole
from infra.settings import Settings, get_settings
from schemas.errors import Mendable
from schemas.events import Verdict
from schemas.records import CorrectionRow, ScoreRow
from schemas.topics import PUBLISHED
from tests.ground import environment_for, wait_until
from tests.learning_samples import PRESS
from training.dataset import SPLITS, TRAIN, Example, Origin, is_held_out, load_snapshot, write_snapshot
from training.dataset.snapshot import name_snapshot
from training.labels import in_order
from workers.desk.desk import Desk
from workers.desk.post import Post
from workers.desk.verdicts import Submission

ROWS, SENT = 12, 8


def example(number: int) -> Example:
    """Rows that nothing holds out, so that all of them can be learned from."""
    ids = (uuid5(PRESS, f"curate {number} {one}") for one in range(100))
    article = next(one for one in ids if not is_held_out(one))
    text = (
        f"The bridge over river number {number} is closed until spring. Its {number + 20} stones are cleaned by hand."
    )
    title = f"Bridge over river number {number} is closed"
    return Example(
        str(article), article, 1, article, text, title, Origin.teacher, TRAIN, model_version="t", prompt_version="v1"
    )


@pytest.fixture
def house(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    for name, value in (settings.environment() | {"COPYDESK_TORCH_THREADS": "1"}).items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    name_snapshot(settings.home, "taught", write_snapshot([example(one) for one in range(ROWS)], settings.home))
    command = [sys.executable, "-m", "copydesk", "worker", "archivist"]
    with (settings.home / "archivist.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment_for(settings), stdout=log, stderr=log)
    try:
        yield settings
    finally:
        process.kill()
        process.wait()
        get_settings.cache_clear()


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result.stdout


def test_a_teachers_titles_are_curated_and_the_next_data_set_has_the_curators_wording(house: Settings) -> None:
    engine = make_engine(house)
    migrate(engine)
    first = in_order(example(one) for one in range(ROWS))[:SENT]
    assert f"{SENT} titles wait on the desk, {SENT} of them over" in run(
        "curate", "send", "taught", "--limit", str(SENT)
    )
    assert "none of the 8 titles is judged yet" in run("curate", "report", "taught", "--limit", str(SENT))

    post = Post(house)
    desk = Desk(engine, post, lambda: datetime.now(UTC))
    try:
        wait_until(lambda: len(desk.waiting(40)) == SENT, 90)
        waiting = desk.waiting(40)
        assert {item.title_id for item in waiting} == {title_id(one) for one in first}
        assert all("a teacher wrote it" in item.reasons[-1] for item in waiting)
        for number, one in enumerate(first):
            wrong = number >= 6
            desk.judge(
                title_id(one),
                Submission(
                    verdict=Verdict.corrected if wrong else Verdict.approved,
                    text=f"{one.title[:-9]} shut" if wrong else one.title,
                    error_tags=("dull",) if wrong else (),
                    curator="ann",
                    seconds_spent=4,
                    note="",
                ),
            )
    finally:
        post.close()

    def judged() -> bool:
        with Session(engine) as session:
            return session.exec(select(func.count()).select_from(CorrectionRow)).one() == SENT

    wait_until(judged, 60)
    facts = json.loads(run("curate", "report", "taught", "--limit", str(SENT), "--json"))
    assert (facts["titles"], facts["judged"], facts["share_fit"], facts["tags"]) == (SENT, SENT, 0.75, {"dull": 2})
    assert facts["interval"][0] < 0.75 < facts["interval"][1]

    again = run("curate", "send", "taught", "--limit", str(SENT))  # the same events: nothing comes back to the queue
    assert f"{SENT} titles wait on the desk, 0 of them over" in again
    with Session(engine) as session:
        assert session.exec(select(func.count()).select_from(ScoreRow)).one() == SENT
    assert desk.waiting(40) == []
    assert all(b'"verdict":"' in (record.value or b"") for record in read_whole(house, PUBLISHED.name))

    run("dataset", "build", "--with", "taught", "--name", "learned")
    learned = load_snapshot(house.home, "learned")
    rows = [one for split in SPLITS for one in learned.examples(split)]
    assert Counter(one.origin for one in rows) == {Origin.approval: 6, Origin.correction: 2, Origin.teacher: 4}
    assert sum(one.title.endswith(" shut") for one in rows) == 2


def test_a_data_set_without_a_teachers_title_has_nothing_for_the_desk(house: Settings) -> None:
    made = write_snapshot([replace(example(1), origin=Origin.imported)], house.home)
    result = CliRunner().invoke(app, ["curate", "send", made.hash])
    assert isinstance(result.exception, Mendable)
    assert "there is no teacher's title among them" in str(result.exception)
