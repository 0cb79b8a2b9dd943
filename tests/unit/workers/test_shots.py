"""The generator's examples follow the read model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine as Database
from sqlmodel import Session

from editorial import prompts
from editorial.embedding import Embedder
from infra.database import make_engine, migrate
from infra.settings import Settings
from schemas.events import Article, Verdict
from schemas.records import ArticleRow, CorrectionRow
from tests.samples import make_adapter, make_article
from tests.unit.workers.test_generator import BASE, Outbox, Server, converging, envelope, serve
from workers.generator import shots as shots_module
from workers.generator.rollout import Rollout
from workers.generator.shots import Shots
from workers.generator.worker import Generator

NOW = datetime(2026, 11, 20, tzinfo=UTC)
HARBOUR = "Ships are invited to the new harbour on Monday. The quay is long enough for freighters."


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    engine = make_engine(Settings(home=tmp_path))
    migrate(engine)
    return engine


@pytest.fixture(autouse=True)
def _look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shots_module, "LOOK_EVERY_S", 0.0)


def judge(
    database: Database, article: Article, title: str, verdict: Verdict = Verdict.corrected, minutes: int = 0
) -> None:
    """A curator's verdict as the read model has it."""
    with Session(database) as session:
        if session.get(ArticleRow, (article.article_id, article.revision)) is None:
            session.add(ArticleRow.model_validate(article.model_dump()))
        session.add(
            CorrectionRow(
                correction_id=uuid4(),
                title_id=uuid4(),
                article_id=article.article_id,
                revision=article.revision,
                story_id=article.story_id,
                verdict=verdict,
                title_before="Before",
                title_after=title,
                error_tags=[],
                curator="ines",
                seconds_spent=1,
                decided_at=NOW + timedelta(minutes=minutes),
                model_version="v1",
                prompt_version="v2",
            )
        )
        session.commit()


def shots(database: Database, embedder: Embedder) -> Shots:
    return Shots(database, embedder, count=2, least=0.4)


async def found(shelf: Shots, article: Article) -> list[str]:
    return [one.title for one in await shelf.find(article)]


async def test_the_newest_verdict_counts_at_once_and_a_spiked_title_no_longer(
    database: Database, embedder: Embedder
) -> None:
    shelf, asked, known = shots(database, embedder), make_article(1, text=HARBOUR), make_article(2, text=HARBOUR)
    assert await found(shelf, asked) == []
    judge(database, known, "First wording")
    assert await found(shelf, asked) == ["First wording"]
    judge(database, known, "Second wording", minutes=1)
    assert await found(shelf, asked) == ["Second wording"]
    judge(database, make_article(3, text=HARBOUR + " It rains."), "An earlier one that came late", minutes=-5)
    assert sorted(await found(shelf, asked)) == ["An earlier one that came late", "Second wording"]
    judge(database, known, "", Verdict.spiked, minutes=2)
    assert await found(shelf, asked) == ["An earlier one that came late"]
    assert await found(shots(database, embedder), asked) == ["An earlier one that came late"]  # after a restart


async def test_what_may_not_be_learned_from_and_the_same_story_are_no_examples(
    database: Database, embedder: Embedder
) -> None:
    asked = make_article(1, text=HARBOUR)
    judge(database, make_article(2, text=HARBOUR).model_copy(update={"training_allowed": False}), "Reserved")
    judge(database, make_article(3, text=HARBOUR).model_copy(update={"story_id": asked.story_id}), "The same story")
    assert await found(shots(database, embedder), asked) == []


@pytest.mark.parametrize(("prompt_version", "written_with", "count"), [("v2", "v5", 1), ("v3", "v3", 0)])
async def test_a_model_that_was_not_tuned_is_shown_examples_and_its_title_says_how_many(
    database: Database, embedder: Embedder, prompt_version: str, written_with: str, count: int
) -> None:
    judge(database, make_article(2, text=HARBOUR), "The harbour's own title")
    server, outbox = Server(), Outbox()
    rollout = Rollout(server, BASE, linger_s=0.0)
    adapter = make_adapter(prompt_version=prompt_version, prompt_digest=prompts.digest(prompt_version))
    async with converging(rollout):
        await serve(rollout, adapter)
        generator = Generator(Settings(firmer_retry=False), server, rollout, shots(database, embedder))
        await generator.write(envelope(make_article(1, text=HARBOUR)), outbox)
    (title,) = outbox.titles
    assert (title.prompt_version, title.shots) == (written_with, count)
    assert ("The harbour's own title" in server.prompts[-1]) == bool(count)
