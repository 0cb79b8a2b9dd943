"""Corrections become training data: one example per article, split by story so that nothing leaks.

A story belongs to the held-out side for ever, whoever writes about it and whenever: that is decided by its id alone.
What is held out is never trained on; what is trained on is never evaluated on.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from schemas.events import Verdict
from schemas.records import ArticleRow, CorrectionRow
from schemas.training import MISSING_ARTICLE, Use

HOLDOUT_SHARE = 0.3
"""Share of all stories that is kept for evaluation."""
TRAIN = "train"
HOLDOUT = "holdout"


def is_held_out(story_id: UUID) -> bool:
    """Whether a story is kept for evaluation. It does not depend on Python's or any other process's hash seed."""
    digest = hashlib.sha256(b"copydesk holdout " + story_id.bytes).digest()
    return int.from_bytes(digest[:8], "big") < HOLDOUT_SHARE * 2**64


@dataclass(frozen=True)
class Example:
    """An article and the title that a person wrote or approved, with who said so and about what."""

    correction_id: UUID
    article_id: UUID
    revision: int
    story_id: UUID
    text: str
    title: str
    verdict: str
    error_tags: tuple[str, ...]
    curator: str
    title_before: str
    model_version: str

    @property
    def line(self) -> str:
        """One line of JSON, the same for the same example everywhere."""
        values = self.__dict__ | {
            name: str(self.__dict__[name]) for name in ("correction_id", "article_id", "story_id")
        }
        return json.dumps(values, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True)
class Selection:
    """What is trained on, and what became of every correction there is."""

    examples: tuple[Example, ...]
    uses: tuple[Use, ...]


@dataclass(frozen=True)
class Snapshot:
    """A selection on disk; `hash` is the sha256 (hex) of its JSONL file."""

    folder: Path
    hash: str
    selection: Selection


def select_examples(corrections: Iterable[CorrectionRow], articles: Iterable[ArticleRow]) -> Selection:
    """The latest verdict on each article, if it yields a title, may be used, and is not held out.

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
        if split == TRAIN and article is not None:
            examples.append(_example(row, article))
    return Selection(tuple(examples), tuple(uses))


def _split(row: CorrectionRow, article: ArticleRow | None, *, superseded: bool, held_out: bool) -> str:
    if article is None:
        return MISSING_ARTICLE
    if superseded:
        return "left out: a later verdict on the article holds"
    if row.verdict == Verdict.spiked or not row.title_after.strip():
        return "left out: no title to learn"
    if held_out:
        return HOLDOUT
    if not article.training_allowed:
        return f"left out: {article.training_reason or 'the publisher reserves training'}"
    return TRAIN


def _example(row: CorrectionRow, article: ArticleRow) -> Example:
    return Example(
        correction_id=row.correction_id,
        article_id=row.article_id,
        revision=row.revision,
        story_id=article.story_id,
        text=article.text,
        title=row.title_after,
        verdict=row.verdict,
        error_tags=tuple(row.error_tags),
        curator=row.curator,
        title_before=row.title_before,
        model_version=row.model_version,
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


def read_tables(engine: Engine) -> tuple[Sequence[CorrectionRow], Sequence[ArticleRow]]:
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
        session.expunge_all()
    return corrections, articles


def write_snapshot(selection: Selection, home: Path) -> Snapshot:
    """Write the selection below `home`/datasets; the same selection is the same folder. The manifest comes last."""
    content = "".join(example.line + "\n" for example in selection.examples).encode()
    digest = hashlib.sha256(content).hexdigest()
    folder = home / "datasets" / digest[:16]
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "train.jsonl").write_bytes(content)
        facts = {
            "sha256": digest,
            "examples": len(selection.examples),
            "verdicts": Counter(example.verdict for example in selection.examples),
            "uses": Counter(use.split for use in selection.uses),
            "holdout_share": HOLDOUT_SHARE,
        }
        manifest.write_text(json.dumps(facts, indent=2, sort_keys=True))
    return Snapshot(folder, digest, selection)
