"""A curator's verdict, from what was typed to the events that carry it. Pure: no clock, no database, no network."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import grapheme
from pydantic import BaseModel, ConfigDict, Field, field_validator

from editorial.rules import MAX_LENGTH
from editorial.tags import TAGS
from schemas.errors import Invalid
from schemas.events import Correction, Origin, ScoredTitle, Verdict, Violation
from schemas.records import ScoreRow

TITLE_LIMIT = MAX_LENGTH
"""Graphemes a title may have: what a reader counts, not what a computer stores."""
_TYPED_LIMIT = 1000
_BIDI_CONTROLS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SPACES = re.compile(r"\s+")


class AlreadyJudged(Invalid):
    """Somebody else was faster, or the title is out and cannot be called back."""


def one_line(text: str) -> str:
    """Text as a title can hold it: one line, single spaces, nothing invisible that could turn the reading order."""
    seen = _SPACES.sub(" ", text)
    kept = (sign for sign in seen if sign not in _BIDI_CONTROLS and unicodedata.category(sign) not in {"Cc", "Cs"})
    return _SPACES.sub(" ", "".join(kept)).strip()  # again: what was between two spaces is gone


def length(title: str) -> int:
    """A title's length in graphemes."""
    return int(grapheme.length(title))


class Submission(BaseModel):
    """What the form or a client of the API sends. Raises pydantic's `ValidationError` for what no verdict can be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    text: str = Field(default="", max_length=_TYPED_LIMIT)
    error_tags: tuple[str, ...] = Field(default=(), max_length=len(TAGS))
    curator: str = Field(max_length=80)
    seconds_spent: float = Field(default=0.0, ge=0, le=86_400, allow_inf_nan=False)
    note: str = Field(default="", max_length=2000)

    @field_validator("text", "curator", mode="after")
    @classmethod
    def _tidy(cls, value: str) -> str:
        return one_line(value)

    @field_validator("note", mode="after")
    @classmethod
    def _printable(cls, value: str) -> str:
        return "\n".join(filter(None, (one_line(line) for line in value.splitlines())))

    @field_validator("curator", mode="after")
    @classmethod
    def _somebody(cls, value: str) -> str:
        if not value:
            raise ValueError("say who you are: the curator's name is empty")
        return value

    @field_validator("error_tags", mode="after")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [tag for tag in value if tag not in TAGS]
        if unknown:
            raise ValueError(f"unknown error tag {unknown[0]!r}; there are {', '.join(TAGS)}")
        return tuple(tag for tag in TAGS if tag in value)


def correct(submission: Submission, scored: ScoreRow, decided_at: datetime) -> Correction:
    """The verdict as an event. Raises `Invalid`, in words for the curator, when it cannot stand."""
    after = _title_after(submission, scored.text)
    return Correction(
        correction_id=Correction.make_id(scored.title_id, submission.curator, submission.verdict, after),
        title_id=scored.title_id,
        article_id=scored.article_id,
        revision=scored.revision,
        story_id=scored.story_id,
        verdict=submission.verdict,
        title_before=scored.text,
        title_after=after,
        error_tags=submission.error_tags,
        curator=submission.curator,
        seconds_spent=submission.seconds_spent,
        decided_at=decided_at,
        model_version=scored.model_version,
        prompt_version=scored.prompt_version,
        note=submission.note,
    )


def _title_after(submission: Submission, before: str) -> str:
    if submission.verdict is Verdict.spiked:
        return ""
    if submission.verdict is Verdict.approved:
        if submission.text not in ("", one_line(before)):
            raise Invalid("approving keeps the model's wording, but the text was changed: save it as a correction")
        _printable_title(one_line(before))
        return before
    _printable_title(submission.text)
    if submission.text == before:
        raise Invalid("nothing was changed: approve the title instead")
    return submission.text


def _printable_title(title: str) -> None:
    if not title:
        raise Invalid("the title is empty: write one or spike it")
    if length(title) > TITLE_LIMIT:
        raise Invalid(f"the title has {length(title)} characters, {TITLE_LIMIT} are allowed")


def publish(correction: Correction, scored: ScoreRow, violations: Sequence[Violation]) -> ScoredTitle | None:
    """The finished title that a verdict lets out; None when it was spiked.

    An approved title keeps the scores of the model's wording. A new wording has none: what a person wrote is not held
    back for the scorer. `violations` are those of the title that goes out.
    """
    if correction.verdict is Verdict.spiked:
        return None
    kept = correction.verdict is Verdict.approved
    return ScoredTitle(
        title_id=correction.title_id,
        article_id=correction.article_id,
        revision=correction.revision,
        story_id=correction.story_id,
        url=scored.url,
        source=scored.source,
        text=correction.title_after,
        origin=Origin.model if kept else Origin.curator,
        verdict=str(correction.verdict),
        correction_id=correction.correction_id,
        model_version=correction.model_version,
        prompt_version=correction.prompt_version,
        precision=scored.precision if kept else None,
        recall=scored.recall if kept else None,
        f1=scored.f1 if kept else None,
        scorer=scored.scorer if kept else "",
        evidence=scored.evidence if kept else "",
        violations=tuple(violations),
        review_reasons=(),
        audit=scored.audit,
        probability=scored.probability if kept else None,
    )


class Standing(BaseModel):
    """The verdict that holds for a title now."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    correction_id: UUID
    verdict: Verdict
    curator: str
    title_after: str
    error_tags: tuple[str, ...]
    decided_at: datetime


def admit(correction: Correction, standing: Standing | None, *, is_out: bool) -> None:
    """May this verdict be given? A curator may change their own mind, nobody else's; what is out cannot be spiked.

    Raises `AlreadyJudged`.
    """
    if standing is not None and standing.curator != correction.curator:
        raise AlreadyJudged(f"{standing.curator} has already judged this title ({standing.verdict})")
    if correction.verdict is Verdict.spiked and is_out:
        raise AlreadyJudged("this title is already published and cannot be called back; a corrected one replaces it")
