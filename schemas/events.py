"""The events, one frozen class each. What is in here is a promise to every consumer: fields are only ever added.

Ids are deterministic (`uuid5`), so that the same input processed twice gives the same event and consumers can upsert.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Event(BaseModel):
    """Base of all events: immutable, and deaf to fields that a newer writer added. Numbers are finite (NaN is no JSON)
    and times know their zone.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    type_name: ClassVar[str]
    """CloudEvents `ce_type`; a changed meaning needs a new name with the next version number."""

    @property
    def event_id(self) -> UUID:
        """CloudEvents `ce_id`: the same facts give the same id."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        """The Kafka message key; events with one key stay in order."""
        raise NotImplementedError


class Article(Event):
    """A publisher's article as the scraper found it. A changed text is the same article with the next revision."""

    type_name: ClassVar[str] = "copydesk.article.v1"

    article_id: UUID
    revision: int = Field(ge=1)
    url: str
    canonical_url: str
    source: str
    feed_url: str
    headline: str
    text: str = Field(min_length=1)
    language: str
    published_at: AwareDatetime | None
    fetched_at: AwareDatetime
    content_hash: str
    story_id: UUID
    training_allowed: bool
    training_reason: str

    @staticmethod
    def make_id(canonical_url: str) -> UUID:
        """The article's identity: its canonical address."""
        return uuid5(NAMESPACE_URL, canonical_url)

    @staticmethod
    def event_id_of(article_id: UUID, revision: int) -> UUID:
        """The id of the event that brought this revision."""
        return uuid5(article_id, f"revision {revision}")

    @property
    def event_id(self) -> UUID:
        return self.event_id_of(self.article_id, self.revision)

    @property
    def key(self) -> str:
        return str(self.article_id)


class Title(Event):
    """A title that a model wrote, with the article it stands over, so that the scorer needs no look-up."""

    type_name: ClassVar[str] = "copydesk.title.v1"

    title_id: UUID
    article: Article
    text: str
    """The cleaned title; empty when the model had nothing to say, which is a result and not an error."""
    raw: str
    """The model's answer before cleaning."""
    model_version: str
    base_model: str
    adapter_digest: str
    prompt_version: str
    shots: int = Field(ge=0)
    attempts: int = Field(ge=1)
    """Requests to the model server that this title took; 1 when none failed."""
    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    latency_seconds: float = Field(ge=0)
    cost_usd: float = Field(ge=0)

    @staticmethod
    def make_id(article_id: UUID, revision: int, model_version: str, prompt_version: str) -> UUID:
        """One title per article revision, model version and prompt version."""
        return uuid5(article_id, f"revision {revision} model {model_version} prompt {prompt_version}")

    @property
    def event_id(self) -> UUID:
        return self.title_id

    @property
    def key(self) -> str:
        return str(self.article.article_id)


class Violation(BaseModel):
    """A house rule that a title breaks, in words that a curator understands."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rule: str
    reason: str


class Origin(StrEnum):
    """Who wrote a title."""

    model = "model"
    curator = "curator"


class ScoredTitle(Event):
    """A judged title: on `published` it is finished, on `review` it waits for a person.

    A title that a person wrote or approved comes on `published` with `origin` and `verdict` of that person; the scores
    are then those of the model's title, or None where the wording is new.
    """

    type_name: ClassVar[str] = "copydesk.scored-title.v1"

    title_id: UUID
    article_id: UUID
    revision: int = Field(ge=1)
    story_id: UUID
    url: str
    source: str
    text: str
    origin: Origin
    verdict: str | None
    """None while no person has judged it, else `approved` or `corrected`."""
    correction_id: UUID | None
    model_version: str
    prompt_version: str
    precision: float | None
    recall: float | None
    f1: float | None
    scorer: str
    """Hash of the scoring model, its layer and versions, as bert-score spells it."""
    evidence: str
    """The sentence of the article that supports the title best."""
    violations: tuple[Violation, ...]
    review_reasons: tuple[str, ...]
    """Why a person should look; empty on `published`."""
    audit: bool
    """True for a random sample of titles that nothing spoke against, so that the flagger's misses can be counted."""
    probability: float | None = None
    """That it needs a correction (0..1), as learned from verdicts; None before enough were given."""

    @property
    def event_id(self) -> UUID:
        return uuid5(self.title_id, f"scored {self.correction_id or 'by ' + self.scorer}")

    @property
    def key(self) -> str:
        return str(self.article_id)


class Verdict(StrEnum):
    """What a curator decided about a title."""

    approved = "approved"
    corrected = "corrected"
    spiked = "spiked"


class Correction(Event):
    """A curator's verdict on one title; the raw material of the next model."""

    type_name: ClassVar[str] = "copydesk.correction.v1"

    correction_id: UUID
    title_id: UUID
    article_id: UUID
    revision: int = Field(ge=1)
    story_id: UUID
    verdict: Verdict
    title_before: str
    title_after: str
    """Equal to `title_before` when approved, empty when spiked."""
    error_tags: tuple[str, ...]
    curator: str
    seconds_spent: float = Field(ge=0)
    decided_at: AwareDatetime
    model_version: str
    prompt_version: str
    note: str = ""

    @staticmethod
    def make_id(title_id: UUID, curator: str, verdict: Verdict, title_after: str) -> UUID:
        """The same verdict of the same person is the same correction, however often the form is sent."""
        return uuid5(title_id, f"{verdict} by {curator}: {title_after}")

    @property
    def event_id(self) -> UUID:
        return self.correction_id

    @property
    def key(self) -> str:
        return str(self.article_id)


class Adapter(Event):
    """The model version that an alias stands for from now on: a desired state, not a queue.

    `adapters` is compacted by alias; every generator reads it whole.
    """

    type_name: ClassVar[str] = "copydesk.adapter.v1"

    alias: str
    """`champion` serves; `canary` writes a share of the titles beside it, none while both are one version."""
    sequence: int = Field(ge=1)
    """Position in the registry's history; of two events for one alias the higher one holds."""
    model_version: str
    artefact_uri: str
    digest: str
    base_model: str
    base_revision: str
    prompt_version: str
    prompt_digest: str
    gate_verdict: str
    actor: str
    reason: str
    previous_version: str | None
    decided_at: AwareDatetime
    share: float = Field(default=1.0, ge=0)
    """Of the articles, for a canary; 1 is all of them."""

    @property
    def event_id(self) -> UUID:
        return uuid5(NAMESPACE_URL, f"copydesk:adapters:{self.alias}:{self.sequence}")

    @property
    def key(self) -> str:
        return self.alias
