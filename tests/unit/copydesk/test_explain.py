"""`copydesk explain`: an article's whole way, from the golden messages through the archivist's projection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr
from rich.console import Console
from sqlalchemy import Engine

from copydesk.explain import draw, run
from copydesk.explanation import Unclear, explain
from infra.database import make_engine, migrate, transaction
from infra.settings import Settings
from schemas.envelope import decode
from schemas.golden import messages
from schemas.records import ArticleRow, CorrectionRow, TrainingExampleRow, TrainingRunRow
from schemas.topics import TOPICS
from workers.archivist.archive import store
from workers.archivist.projection import project

ARTICLE = "f18b620e-003a-52d1-81ac-40843f1b0bcd"
URL = "https://ledger.example/2026/11/meridian-opens-weights"
UNTITLED = "https://courier.example/tech/tern-2"
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("explain"), database_url=SecretStr(""))


@pytest.fixture(scope="module")
def engine(settings: Settings) -> Iterator[Engine]:
    engine = make_engine(settings)
    migrate(engine)
    for topic in TOPICS:
        for golden in messages(topic):
            store(engine, project(topic, decode(golden.wire_value, golden.wire_headers)))
    _train(engine)
    yield engine
    engine.dispose()


def _train(engine: Engine) -> None:
    with transaction(engine) as session:
        golden = next(golden for topic in TOPICS for golden in messages(topic) if golden.name == "corrected")
        correction = session.get(CorrectionRow, UUID(golden.headers["ce_id"]))
        assert correction is not None
        for number, split in enumerate(("left out: over the limit", "train"), start=1):
            run_row = TrainingRunRow(
                run_id=UUID(int=number),
                state="promoted",
                model_version=f"v{number + 1}",
                parent="v1",
                corrections_used=50,
                started_at=NOON + timedelta(hours=number),
                actor="retrainer",
            )
            session.add(run_row)
            session.flush()
            session.add(
                TrainingExampleRow(
                    run_id=run_row.run_id,
                    correction_id=correction.correction_id,
                    article_id=correction.article_id,
                    split=split,
                )
            )


def printed(engine: Engine, name: str) -> str:
    console = Console(width=200, no_color=True)
    with console.capture() as capture:
        console.print(draw(explain(engine, name)))
    return capture.get()


@pytest.mark.parametrize("name", [ARTICLE, ARTICLE.upper(), ARTICLE.replace("-", ""), "f18b", "f18b620e-003a", URL])
def test_an_article_is_found_by_its_id_the_beginning_of_it_or_its_address(engine: Engine, name: str) -> None:
    assert str(explain(engine, name).article_id) == ARTICLE


def test_an_article_is_found_by_the_address_it_was_found_at(engine: Engine) -> None:
    assert explain(engine, UNTITLED + "?utm_source=feed").source == "courier.example"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ffff", "no article 'ffff' has arrived"),
        ("https://nowhere.example/", "no article 'https://nowhere.example/' has arrived"),
        ("f18", "at least 4 characters"),
        ("tern", "neither an address nor"),
        ("", "neither an address nor"),
        (ARTICLE + "0", "neither an address nor"),
    ],
)
def test_a_name_that_means_nothing_says_so(engine: Engine, name: str, words: str) -> None:
    with pytest.raises(Unclear, match=words):
        explain(engine, name)


def test_a_beginning_that_several_articles_share_names_them(engine: Engine) -> None:
    first = explain(engine, ARTICLE)
    twin = UUID(ARTICLE[:8] + "0" * 24)
    with transaction(engine) as session:
        row = session.get(ArticleRow, (first.article_id, 1))
        assert row is not None
        session.add(ArticleRow.model_validate({**row.model_dump(), "article_id": twin, "story_id": UUID(int=9)}))
    with pytest.raises(Unclear, match=f"may be several articles: {twin}, {ARTICLE}"):
        explain(engine, ARTICLE[:8])
    with transaction(engine) as session:
        session.delete(session.get_one(ArticleRow, (twin, 1)))


def test_the_facts_are_complete(engine: Engine) -> None:
    way = explain(engine, ARTICLE)
    assert [revision.revision for revision in way.revisions] == [1, 2]
    assert [other.source for other in way.same_story] == ["courier.example"]
    first, second = way.revisions[0].titles
    assert (first.model_version, first.prompt_version, second.model_version) == ("v1", "v1", "v2-20261102")
    assert first.score is not None
    assert (first.score.decision, first.score.precision) == ("review", 0.3822)
    assert [rule.rule for rule in first.score.violations] == ["acronym"]
    (judgement,) = first.judgements
    assert (judgement.curator, judgement.verdict, judgement.error_tags) == ("ines", "corrected", ("jargon_or_acronym",))
    assert [(used.split, used.model_version) for used in judgement.trainings] == [
        ("left out: over the limit", "v2"),
        ("train", "v3"),
    ]
    assert [(out.origin, out.verdict) for out in first.publications] == [("curator", "corrected")]
    assert [(out.origin, out.verdict) for out in second.publications] == [("model", None)]


def test_the_page_tells_the_whole_way_in_words(engine: Engine) -> None:
    page = printed(engine, ARTICLE)
    for words in (
        "“Meridian opens Tern 2 to everyone”  ledger.example, en",
        "the same story at courier.example: “Tern 2 is out”",
        "revision 2, fetched 2026-11-02 12:30:00 UTC, 328 characters",
        "models may learn from it: robots.txt allows us",
        "by model v1, prompt v1",
        "precision 0.38, recall 0.20, F1 0.26 → review",
        "breaks acronym: “OSS”",
        "corrected by ines 2026-11-02 09:42:00 UTC, after 22 s at the desk",
        "after  “Meridian gives away Tern 2, a language model for laptops”",
        "what was wrong: jargon_or_acronym",
        "training of v3, 2026-11-02 14:00:00 UTC (promoted): learned from it",
        "training of v2, 2026-11-02 13:00:00 UTC (promoted): left out: over the limit",
        "as the model wrote it: “Meridian gives away Tern 2, a model for laptops”",
        "a person's wording: “Meridian gives away Tern 2, a language model for laptops”",
        "no title yet",
    ):
        assert words in page, page


def test_what_a_publisher_writes_cannot_drive_the_terminal(engine: Engine) -> None:
    with transaction(engine) as session:
        row = session.get_one(ArticleRow, (explain(engine, UNTITLED).article_id, 1))
        hostile = {**row.model_dump(), "article_id": UUID(int=1), "canonical_url": "https://x.example/"}
        session.add(ArticleRow.model_validate(hostile | {"headline": "\x1b[2Jgone\n[red]x[/red]"}))
    page = printed(engine, "https://x.example/")
    assert "“ [2Jgone [red]x[/red]”" in page
    with transaction(engine) as session:
        session.delete(session.get_one(ArticleRow, (UUID(int=1), 1)))


def test_the_command_prints_json_that_holds_the_same_facts(
    engine: Engine, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(settings, ARTICLE, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == explain(engine, ARTICLE).model_dump(mode="json")


def test_the_command_prints_the_page(engine: Engine, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(settings, URL, as_json=False) == 0
    assert "revision 1" in capsys.readouterr().out


def test_an_unknown_article_is_a_sentence_and_status_1(
    engine: Engine, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(settings, "ffff", as_json=False) == 1
    assert "no article 'ffff' has arrived in the database" in capsys.readouterr().err


def test_a_data_folder_that_cannot_be_used_is_a_sentence_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Settings(home=Path("/proc/copydesk"), database_url=SecretStr("")), "ffff", as_json=False) == 1
    assert "cannot be made" in capsys.readouterr().err
