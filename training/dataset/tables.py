"""The newsroom's tables become examples: the latest verdict of a person on each article."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from infra.settings import Settings
from schemas.events import Verdict
from schemas.records import ArticleRow, CorrectionRow, ScoreRow, TrainingExampleRow
from schemas.training import MISSING_ARTICLE, Use
from training.dataset.build import Rules, build
from training.dataset.example import HOLDOUT, TRAIN, Example, Origin, is_held_out


class Tables(NamedTuple):
    """What is read: verdicts, and the articles that they or the evaluation may need."""

    corrections: Sequence[CorrectionRow]
    articles: Sequence[ArticleRow]
    audited: AbstractSet[UUID]
    """Titles that went to review although nothing flagged them."""
    trained: AbstractSet[UUID]
    """Corrections that were trained on before."""
    titles_per_day: float = 0.0
    """That were scored in the last week before the newest; 0: none."""


@dataclass(frozen=True)
class Selection:
    """The examples of all splits, and what became of every correction there is."""

    examples: tuple[Example, ...]
    uses: tuple[Use, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many of the candidates that yield a title were left out for each reason."""

    @property
    def counts(self) -> Counter[str]:
        """How many corrections are on each side of the split, and how many are left out for each reason."""
        return Counter(use.split for use in self.uses)

    def of(self, split: str) -> tuple[Example, ...]:
        """The examples of one split."""
        return tuple(example for example in self.examples if example.split == split)


def select_examples(
    corrections: Iterable[CorrectionRow], articles: Iterable[ArticleRow], audited: AbstractSet[UUID] = frozenset()
) -> Selection:
    """The latest verdict on each article, if it yields a title and may be used. `audited` are ids of titles.

    The examples come in the order of their ids, so that the same corrections give the same dataset.
    """
    articles = list(articles)
    by_revision = {(article.article_id, article.revision): article for article in articles}
    # a revision may join another story: then the whole article is held out, for its texts are nearly the same
    held_out = {article.article_id for article in articles if is_held_out(article.story_id)}
    ordered = sorted(corrections, key=lambda row: (row.decided_at, row.correction_id.bytes))
    latest = {row.article_id: row.correction_id for row in ordered}
    examples: list[Example] = []
    uses: list[Use] = []
    for row in sorted(ordered, key=lambda row: row.correction_id.bytes):
        article = by_revision.get((row.article_id, row.revision))
        superseded = latest[row.article_id] != row.correction_id
        split = _split(row, article, superseded=superseded, held_out=row.article_id in held_out)
        uses.append(Use(correction_id=row.correction_id, article_id=row.article_id, split=split))
        if split in (TRAIN, HOLDOUT) and article is not None:
            examples.append(_example(row, article, split, audited=row.title_id in audited))
    return Selection(tuple(examples), tuple(uses))


def _split(row: CorrectionRow, article: ArticleRow | None, *, superseded: bool, held_out: bool) -> str:
    if article is None:
        return MISSING_ARTICLE
    if superseded:
        return "left out: a later verdict on the article holds"
    if row.verdict == Verdict.spiked or not row.title_after.strip():
        return "left out: no title to learn"
    if not article.training_allowed:
        return f"left out: {article.training_reason or 'the publisher reserves training'}"
    return HOLDOUT if held_out else TRAIN


def _example(row: CorrectionRow, article: ArticleRow, split: str, *, audited: bool) -> Example:
    judged = Origin.correction if row.verdict == Verdict.corrected else Origin.approval
    return Example(
        example_id=str(row.correction_id),
        article_id=row.article_id,
        revision=row.revision,
        story_id=article.story_id,
        text=article.text,
        title=row.title_after,
        origin=Origin.audit if audited else judged,
        split=split,
        source=article.source,
        language=article.language,
        at=row.decided_at,
        error_tags=tuple(row.error_tags),
        curator=row.curator,
        title_before=row.title_before,
        model_version=row.model_version,
        prompt_version=row.prompt_version,
    )


def select_holdout(articles: Iterable[ArticleRow], limit: int) -> tuple[ArticleRow, ...]:
    """At most `limit` held-out stories, one article each: its latest revision. The same choice every time."""
    latest: dict[UUID, ArticleRow] = {}
    for article in articles:
        known = latest.get(article.article_id)
        if is_held_out(article.story_id) and (known is None or known.revision < article.revision):
            latest[article.article_id] = article
    by_story: dict[UUID, ArticleRow] = {}
    for article in sorted(latest.values(), key=lambda article: article.article_id.bytes):
        by_story.setdefault(article.story_id, article)
    ordered = sorted(by_story, key=lambda story: hashlib.sha256(story.bytes).digest())
    return tuple(by_story[story] for story in ordered[:limit])


def read_tables(engine: Engine) -> Tables:
    """All corrections, and the articles that they or the evaluation may need."""
    with Session(engine, expire_on_commit=False) as session:
        corrections = session.exec(select(CorrectionRow)).all()
        judged = {row.article_id for row in corrections}
        held_out = {story for story in session.exec(select(ArticleRow.story_id).distinct()) if is_held_out(story)}
        articles = [
            article
            for article in session.exec(select(ArticleRow).order_by(col(ArticleRow.fetched_at)))
            if article.article_id in judged or article.story_id in held_out
        ]
        audited = frozenset(session.exec(select(ScoreRow.title_id).where(col(ScoreRow.audit))))
        trained = frozenset(
            session.exec(select(TrainingExampleRow.correction_id).where(TrainingExampleRow.split == TRAIN))
        )
        titles_per_day = _titles_per_day(session)
        session.expunge_all()
    return Tables(corrections, articles, audited, trained, titles_per_day)


def _titles_per_day(session: Session) -> float:
    """By the newest week of titles; a newsroom younger than a day is taken to have had a whole one."""
    newest: datetime | None = session.exec(select(func.max(ScoreRow.scored_at))).one()
    if newest is None:
        return 0.0
    week = col(ScoreRow.scored_at) > newest - timedelta(days=7)
    count, oldest = session.exec(select(func.count(), func.min(ScoreRow.scored_at)).where(week)).one()
    return float(count) / max(1.0, (newest - oldest) / timedelta(days=1))


def choose(tables: Tables, rules: Rules, further: Iterable[Example] = ()) -> Selection:
    """What a data set from these tables would be, and what would become of every correction; nothing is written.

    `further` come from other data sets; they count as older than anything new.
    """
    selection = select_examples(tables.corrections, tables.articles, tables.audited)
    own = {example.example_id for example in selection.examples}
    built = build(
        (*selection.examples, *(one for one in further if one.example_id not in own)),
        rules,
        held_out_texts=held_out_texts(tables.articles, {one.article_id for one in selection.of(HOLDOUT)}),
        new=None if rules.new_from else own - {str(one) for one in tables.trained},
    )
    uses = (
        use.model_copy(update={"split": built.fate.get(str(use.correction_id), use.split)}) for use in selection.uses
    )
    return Selection(built.examples, tuple(uses), built.left_out)


def retraining_rules(settings: Settings) -> Rules:
    """What the settings say about the data of a retraining. It needs no validation split: the gate judges."""
    return Rules(older_share=settings.retrain_older_share, most_per_tag=settings.retrain_most_per_tag)


def held_out_texts(articles: Iterable[ArticleRow], but: AbstractSet[UUID] = frozenset()) -> list[str]:
    """What evaluation may show to a model, whoever judged it."""
    return [one.text for one in articles if is_held_out(one.story_id) and one.article_id not in but]


def read_held_out_texts(engine: Engine) -> list[str]:
    """The texts of all held-out articles."""
    with Session(engine) as session:
        held_out = {story for story in session.exec(select(ArticleRow.story_id).distinct()) if is_held_out(story)}
        rows = session.exec(select(ArticleRow.story_id, ArticleRow.text))
        return [words for story, words in rows if story in held_out]
