"""Titles by another model version, beside those that there are: the generator's and the scorer's own code, and nothing
that is sent anywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine as Database
from sqlmodel import Session, col, func, select

from copydesk.console import BAD, DIM, GOOD, console, plain
from copydesk.explanation import find
from copydesk.single_title import envelope_of, write_title
from editorial.bertscore import Scorer
from editorial.scoring import with_second_opinion
from infra.registry import CHAMPION, ModelRegistry
from infra.settings import Settings
from schemas.errors import Invalid, Transient, Unavailable
from schemas.events import Adapter, Article, ScoredTitle, Title
from schemas.records import AliasHistoryRow, ArticleRow, TitleRow
from workers.generator.admission import base_here, fault, objection, server_path
from workers.generator.engine import Engine, LoadRefused
from workers.generator.rollout import Rollout
from workers.generator.worker import Generator
from workers.retrainer.announce import adapter_event
from workers.scorer.judgement import judge
from workers.scorer.policies import Policies

SOURCE = "/copydesk/replay"


@dataclass(frozen=True)
class Judged:
    """A title with what the scorer says about it; `decision` is `publish` or `review`, with its reasons."""

    text: str
    model_version: str
    prompt_version: str
    precision: float | None
    decision: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """An article with the title it has and the one it would have; `trouble` says why there is no new one."""

    article_id: UUID
    revision: int
    source: str
    headline: str
    old: Judged | None
    new: Judged | None
    trouble: str


def choose(database: Database, names: Sequence[str], since: datetime | None, limit: int) -> list[Article]:
    """The newest revision of the named articles, or of the newest `limit` ones; all fetched at `since` or later.

    Raises `copydesk.explanation.Unclear` for a name that means no article.
    """
    newest = (
        select(ArticleRow.article_id, func.max(ArticleRow.revision).label("revision"))
        .group_by(col(ArticleRow.article_id))
        .subquery()
    )
    query = select(ArticleRow).join(
        newest,
        (col(ArticleRow.article_id) == newest.c.article_id) & (col(ArticleRow.revision) == newest.c.revision),
    )
    with Session(database) as session:
        if names:
            query = query.where(col(ArticleRow.article_id).in_([find(session, name) for name in names]))
        if since is not None:
            query = query.where(col(ArticleRow.fetched_at) >= since)
        query = query.order_by(col(ArticleRow.fetched_at).desc(), col(ArticleRow.article_id))
        rows = session.exec(query if names else query.limit(limit)).all()
        return [Article.model_validate(row.model_dump()) for row in rows]


def retitle(settings: Settings, database: Database, version: str, articles: Sequence[Article]) -> list[Outcome]:
    """Title the articles with a version and judge old and new titles alike. Publishes nothing, stores nothing.

    Raises `Invalid` for a version that is not registered or cannot serve here, `Unavailable` without model server.
    """
    adapter = _adapter(ModelRegistry(database), version)
    written = asyncio.run(_write(settings, adapter, articles))
    titles = {(event_id, "new"): title for event_id, title in written.items() if isinstance(title, Title)}
    for article in articles:
        if (old := _old_title(database, article, adapter)) is not None:
            titles[article.event_id, "old"] = old
    judged = dict(zip(titles, _judge(settings, list(titles.values())), strict=True))
    return [
        Outcome(
            article_id=article.article_id,
            revision=article.revision,
            source=article.source,
            headline=article.headline,
            old=judged.get((article.event_id, "old")),
            new=judged.get((article.event_id, "new")),
            trouble="" if isinstance(new := written[article.event_id], Title) else new,
        )
        for article in articles
    ]


def _adapter(registry: ModelRegistry, version: str) -> Adapter:
    row = registry.get(version)
    if row is None:
        raise Invalid(f"no version {version!r}; `copydesk models list` shows all")
    move = AliasHistoryRow(
        alias=CHAMPION,  # in this process alone: the rollout serves no other
        sequence=1,
        version=version,
        previous_version=None,
        actor="replay",
        reason="titles to look at",
        gate_verdict="none: nothing is published",
        decided_at=datetime.now(UTC),
    )
    return adapter_event(move, row)


async def _write(settings: Settings, adapter: Adapter, articles: Sequence[Article]) -> dict[UUID, Title | str]:
    """The title of each article by the id of its event, or in words why there is none."""
    base = base_here(settings)
    if reason := objection(adapter, base):
        raise Invalid(f"{adapter.model_version} cannot write titles here: {reason}")
    engine = Engine(settings)
    rollout = Rollout(engine, base)
    try:
        loaded = await engine.loaded()
        await engine.load(adapter.model_version, server_path(adapter.artefact_uri))
        if reason := await fault(engine, adapter, ()):
            raise Invalid(f"{adapter.model_version} cannot write titles here: {reason}")
        await rollout.announced(envelope_of(adapter, SOURCE))
        rollout.current()
        serving = asyncio.create_task(rollout.converge())
        while rollout.serving is None:  # noqa: ASYNC110  # it is loaded already; the rollout tells nobody
            await asyncio.sleep(0.01)
        try:
            generator, room = Generator(settings, engine, rollout), asyncio.Semaphore(settings.window)
            titles = await asyncio.gather(*(_one(settings, generator, article, room) for article in articles))
        finally:
            serving.cancel()
            if adapter.model_version not in loaded:
                with suppress(Transient):
                    await engine.unload(adapter.model_version)
    except LoadRefused as error:
        raise Invalid(str(error)) from error
    finally:
        await engine.close()
    return {article.event_id: title for article, title in zip(articles, titles, strict=True)}


async def _one(settings: Settings, generator: Generator, article: Article, room: asyncio.Semaphore) -> Title | str:
    async with room:
        try:
            return await write_title(generator, envelope_of(article, SOURCE), settings.max_attempts)
        except Unavailable:
            raise
        except (Invalid, Transient) as error:
            return str(error)


def _old_title(database: Database, article: Article, adapter: Adapter) -> Title | None:
    """The newest title of this revision, by another version if there is one."""
    query = select(TitleRow).where(TitleRow.article_id == article.article_id, TitleRow.revision == article.revision)
    with Session(database) as session:
        rows = session.exec(query.order_by(col(TitleRow.written_at).desc())).all()
        others = [row for row in rows if row.model_version != adapter.model_version]
        return next((Title.model_validate(row.model_dump() | {"article": article}) for row in others or rows), None)


def _judge(settings: Settings, titles: Sequence[Title]) -> list[Judged]:
    scorer = with_second_opinion(Scorer(settings.scorer_model, settings.threads), settings.second_opinion_model)
    policies = Policies(settings, scorer.hash)
    return [_judged(scored) for scored in judge(titles, scorer, policies.of, audit_share=0.0)]


def _judged(scored: ScoredTitle) -> Judged:
    return Judged(
        text=scored.text,
        model_version=scored.model_version,
        prompt_version=scored.prompt_version,
        precision=scored.precision,
        decision="review" if scored.review_reasons else "publish",
        reasons=scored.review_reasons,
    )


def facts(version: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """For JSON."""
    articles = [asdict(outcome) | {"article_id": str(outcome.article_id)} for outcome in outcomes]
    return {"version": version, "published": False, "articles": articles}


def draw(version: str, outcomes: Sequence[Outcome]) -> None:
    """Old and new titles side by side, and the sum of it."""
    table = Table("article", "has", f"{version} would write", show_lines=True)
    for outcome in outcomes:
        article = Text.assemble(plain(outcome.headline), "\n", (f"{outcome.article_id} ", DIM), plain(outcome.source))
        new = _cell(outcome.new) if outcome.new else Text(outcome.trouble, style=BAD)
        table.add_row(article, _cell(outcome.old) if outcome.old else Text("no title yet", style=DIM), new)
    console().print(table)
    both = [(outcome.old, outcome.new) for outcome in outcomes if outcome.old and outcome.new]
    if both:
        changed = sum(old.text != new.text for old, new in both)
        before, after = (_mean([pair[side].precision for pair in both]) for side in (0, 1))
        flagged = [sum(pair[side].decision == "review" for pair in both) for side in (0, 1)]
        console().print(
            f"Of {len(both):,} with both, {changed:,} differ; precision {before} → {after}; "
            f"for review {flagged[0]:,} → {flagged[1]:,}."
        )
    failed = sum(outcome.new is None for outcome in outcomes)
    console().print(f"{len(outcomes) - failed:,} titled, {failed:,} failed. Nothing was published.")


def _cell(judged: Judged) -> Text:
    precision = "" if judged.precision is None else f", precision {judged.precision:.2f}"
    about = f"\n{judged.model_version}{precision}: "
    decision = (judged.decision, GOOD if judged.decision == "publish" else BAD)
    cell = Text.assemble(plain(judged.text or "(no title)"), (about, DIM), decision)
    for reason in judged.reasons:
        cell.append_text(Text.assemble("\n", plain(reason)))
    return cell


def _mean(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.3f}" if known else "–"
