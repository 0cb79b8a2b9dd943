"""Which column is what: a row from elsewhere becomes an example, or a fault that says what is wrong with it."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID, uuid5

from schemas.errors import Invalid
from training.dataset import template
from training.dataset.example import TRAIN, Example, Origin

_ARTICLES = UUID("1d5d7a4e-8f0e-4b1e-9a53-0a6a8b0f4c57")
"""Namespace of imported articles: the same text is the same article, in whatever file it comes."""
_YEAR = re.compile(r"\d{4}")
_YES, _NO = frozenset({"true", "yes", "y", "1"}), frozenset({"false", "no", "n", "0"})
_SURROGATE = re.compile("[\ud800-\udfff]")


class Fault(ValueError):
    """What is wrong with one row."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns, and what holds for all rows. An empty name: there is no such column."""

    text: str = "text"
    target: str = "title"
    id: str = ""
    source: str = ""
    language: str = ""
    time: str = ""
    story: str = ""
    allowed: str = ""
    """Yes or no: may the row be trained on?"""
    further: tuple[str, ...] = ()
    origin: Origin = Origin.imported
    model: str = ""
    prompt: str = ""
    template: str = ""

    def check(self, known: Collection[str]) -> None:
        """Raises `Invalid` if a column is not among the known ones, or if what was asked for does not fit together."""
        asked = (
            self.text,
            self.target,
            self.id,
            self.source,
            self.language,
            self.time,
            self.story,
            self.allowed,
            *self.further,
        )
        for name in filter(None, asked):
            if name not in known:
                raise Invalid(f"there is no column {name!r}; the columns are {', '.join(sorted(known)) or 'none'}")
        if self.origin is Origin.teacher and not (self.model and self.prompt):
            raise Invalid("a teacher's titles need --model and --prompt: who wrote them, and asked how")
        if self.template:
            template.check(self.template, self.further)

    def example(self, row: Mapping[str, object]) -> Example:
        """The row as an example; story and split are decided later. Raises `Fault`."""
        text, title = words_of(row, self.text), words_of(row, self.target)
        if not text:
            raise Fault(f"empty text in column {self.text!r}")
        if not title:
            raise Fault(f"empty target in column {self.target!r}")
        article = uuid5(_ARTICLES, " ".join(text.split()))
        columns = {name: words_of(row, name) for name in (*filter(None, (self.id,)), *self.further)}
        values = [text, title, *(f"{name}={value}" for name, value in sorted(columns.items()))]
        return Example(
            example_id=hashlib.sha256("\0".join(values).encode()).hexdigest()[:32],
            article_id=article,
            revision=1,
            story_id=article,
            text=text,
            title=title,
            origin=self.origin,
            split=TRAIN,
            source=words_of(row, self.source),
            language=words_of(row, self.language),
            at=_moment(row, self.time),
            model_version=self.model,
            prompt_version=self.prompt,
            columns=columns,
        )

    def may_be_used(self, row: Mapping[str, object]) -> bool:
        """Whether the row may be trained on. Raises `Fault` where its column says neither yes nor no."""
        words = words_of(row, self.allowed).casefold()
        if not self.allowed or words in _YES:
            return True
        if words in _NO:
            return False
        raise Fault(f"column {self.allowed!r}: {words[:40]!r} is neither yes nor no")


def words_of(row: Mapping[str, object], name: str) -> str:
    """What a column says, as words; empty if nothing. Raises `Fault` if it is not words."""
    value = row.get(name) if name else None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str | int | float | Decimal | UUID):
        raise Fault(f"column {name!r} holds a {type(value).__name__}, not text")
    words = str(value).strip()
    if _SURROGATE.search(words):
        raise Fault(f"column {name!r} holds half of a character: its file was written wrongly")
    return words


def _moment(row: Mapping[str, object], name: str) -> datetime | None:
    value = row.get(name) if name else None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        words = words_of(row, name)
        if not words:
            return None
        try:
            value = datetime(int(words), 1, 1) if _YEAR.fullmatch(words) else datetime.fromisoformat(words)  # noqa: DTZ001
        except ValueError:
            raise Fault(f"column {name!r}: {words[:40]!r} is no time as 2026-11-23T10:30 or 2026") from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
