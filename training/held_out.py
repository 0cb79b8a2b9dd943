"""The articles of an evaluation: what nothing was trained on, or how much of it was."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from infra.database import make_engine, migrate
from infra.settings import Settings
from schemas.errors import Invalid
from schemas.records import ArticleRow
from training.artefact import Model
from training.dataset import (
    HOLDOUT,
    TRAIN,
    VALIDATION,
    Example,
    Origin,
    UnknownDataset,
    load_snapshot,
    read_tables,
    select_examples,
    select_holdout,
)


@dataclass(frozen=True)
class HeldOut:
    """The articles of an evaluation. A title may be empty: then there is no reference. `hash` is over all of them."""

    name: str
    hash: str
    examples: tuple[Example, ...]


def held_out_of(settings: Settings, dataset: str, limit: int) -> HeldOut:
    """The held-out split of a data set, or the held-out stories of this house. Raises `UnknownDataset`, `Invalid`."""
    if dataset:
        snapshot = load_snapshot(settings.home, dataset)
        found = snapshot.examples(HOLDOUT)
        name = f"data set {dataset}"
    else:
        found = _of_the_house(settings, limit)
        name = "the held-out stories of this house"
    if not found:
        raise Invalid(
            f"{name}: nothing is held out there, so nothing can be evaluated; "
            + ("import or build it with more rows" if dataset else "name a data set with --dataset")
        )
    chosen = found if not limit else found[:limit]
    content = "".join(f"{one.line}\n" for one in chosen)
    return HeldOut(name, hashlib.sha256(content.encode()).hexdigest(), tuple(chosen))


def known_to(model: Model, examples: Sequence[Example], settings: Settings) -> int | None:
    """How many of these articles stand on the training side of the model's data set; None: that is not here.

    A story is held out of every data set by its id, but the same article may have been imported under another one.
    """
    if not model.dataset_hash:
        return 0 if not model.digest else None
    try:
        snapshot = load_snapshot(settings.home, model.dataset_hash)
    except UnknownDataset:
        return None
    asked = {_words(one): False for one in examples}
    for split in (TRAIN, VALIDATION):
        for one in snapshot.stream(split):
            if (words := _words(one)) in asked:
                asked[words] = True
    return sum(asked[_words(one)] for one in examples)


def _words(one: Example) -> str:
    """Equal for equal articles, however their lines are broken."""
    return hashlib.sha256(" ".join(one.text.casefold().split()).encode("utf-8", "replace")).hexdigest()


def _of_the_house(settings: Settings, limit: int) -> tuple[Example, ...]:
    engine = make_engine(settings)
    migrate(engine)
    tables = read_tables(engine)
    selection = select_examples(tables.corrections, tables.articles, tables.audited)
    judged = {one.article_id: one for one in selection.of(HOLDOUT)}
    articles = select_holdout(tables.articles, limit or len(tables.articles))
    return tuple(_example(article, judged) for article in articles)


def _example(article: ArticleRow, judged: Mapping[UUID, Example]) -> Example:
    """The article with its curator's title, or without one; the publisher's headline is no title of the house."""
    known = judged.get(article.article_id)
    if known is not None and known.revision == article.revision:
        return known
    return Example(
        example_id=f"{article.article_id}/{article.revision}",
        article_id=article.article_id,
        revision=article.revision,
        story_id=article.story_id,
        text=article.text,
        title="",
        origin=Origin.imported,
        split=HOLDOUT,
        source=article.source,
        language=article.language,
        at=article.published_at or article.fetched_at,
    )
