"""The tables. The first group is a projection of the topics and can be rebuilt from them; each table has one owner.

SQLModel table classes do not validate what their constructor is given: build rows with `Row.model_validate(...)`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Dialect, Index, TypeDecorator, text
from sqlmodel import JSON, Column, Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets the zone; it is put back on reading: both databases give the same value."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# --- the projection of the topics; owner: archivist -----------------------------------------------------------------


class ArticleRow(SQLModel, table=True):
    """`articles`: one row per revision."""

    __tablename__ = "articles"

    article_id: UUID = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    url: str
    canonical_url: str
    source: str = Field(index=True)
    feed_url: str
    headline: str
    text: str
    language: str
    published_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    fetched_at: datetime = Field(sa_type=UtcDateTime)
    content_hash: str
    story_id: UUID = Field(index=True)
    training_allowed: bool
    training_reason: str


class TitleRow(SQLModel, table=True):
    """`titles`: what a model wrote."""

    __tablename__ = "titles"

    title_id: UUID = Field(primary_key=True)
    article_id: UUID = Field(index=True)
    revision: int
    story_id: UUID = Field(index=True)
    text: str
    raw: str
    model_version: str = Field(index=True)
    base_model: str
    adapter_digest: str
    prompt_version: str
    shots: int
    attempts: int
    input_tokens: int
    output_tokens: int
    latency_seconds: float
    cost_usd: float
    written_at: datetime = Field(sa_type=UtcDateTime)


class ScoreRow(SQLModel, table=True):
    """`published` and `review`, as the scorer sent them: its judgement of one title."""

    __tablename__ = "scores"

    title_id: UUID = Field(primary_key=True)
    article_id: UUID = Field(index=True)
    revision: int
    story_id: UUID
    url: str
    source: str
    text: str
    model_version: str
    prompt_version: str
    decision: str = Field(index=True)
    """`publish` or `review`."""
    precision: float | None
    recall: float | None
    f1: float | None
    scorer: str
    evidence: str
    violations: list[dict[str, str]] = Field(sa_column=Column(JSON, nullable=False))
    review_reasons: list[str] = Field(sa_column=Column(JSON, nullable=False))
    audit: bool
    probability: float | None = None
    """That it needs a correction, as the scorer told it."""
    scored_at: datetime = Field(sa_type=UtcDateTime, index=True)


class CorrectionRow(SQLModel, table=True):
    """`corrections`: a curator's verdict."""

    __tablename__ = "corrections"

    correction_id: UUID = Field(primary_key=True)
    title_id: UUID = Field(index=True)
    article_id: UUID = Field(index=True)
    revision: int
    story_id: UUID
    verdict: str
    title_before: str
    title_after: str
    error_tags: list[str] = Field(sa_column=Column(JSON, nullable=False))
    curator: str
    seconds_spent: float
    decided_at: datetime = Field(sa_type=UtcDateTime, index=True)
    model_version: str
    prompt_version: str
    note: str = ""


class PublicationRow(SQLModel, table=True):
    """`published`: every finished title that went out, the model's and the curators'."""

    __tablename__ = "publications"

    event_id: UUID = Field(primary_key=True)
    title_id: UUID = Field(index=True)
    article_id: UUID = Field(index=True)
    revision: int
    text: str
    origin: str
    verdict: str | None
    correction_id: UUID | None
    published_at: datetime = Field(sa_type=UtcDateTime, index=True)


class AdapterRow(SQLModel, table=True):
    """`adapters`: every promotion that was announced."""

    __tablename__ = "adapters"

    alias: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True)
    model_version: str
    prompt_version: str
    gate_verdict: str
    actor: str
    reason: str
    previous_version: str | None
    decided_at: datetime = Field(sa_type=UtcDateTime)


# --- model registry and training; owner: retrainer ------------------------------------------------------------------


class ModelVersionRow(SQLModel, table=True):
    """An immutable model version: what it is made of and how it did. Never updated, never deleted."""

    __tablename__ = "model_versions"

    version: str = Field(primary_key=True)
    artefact_uri: str
    digest: str
    base_model: str
    base_revision: str
    dataset_hash: str
    prompt_version: str
    prompt_digest: str
    parent: str | None
    config: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    metrics: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_type=UtcDateTime)


class AliasRow(SQLModel, table=True):
    """What an alias stands for now; `sequence` is the compare-and-swap token."""

    __tablename__ = "model_aliases"

    alias: str = Field(primary_key=True)
    version: str = Field(foreign_key="model_versions.version")
    sequence: int


class AliasHistoryRow(SQLModel, table=True):
    """Every change of an alias, append-only: who, when, why. `announced` once the event is acknowledged."""

    __tablename__ = "model_alias_history"

    alias: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True)
    version: str = Field(foreign_key="model_versions.version")
    previous_version: str | None
    actor: str
    reason: str
    gate_verdict: str
    decided_at: datetime = Field(sa_type=UtcDateTime)
    announced: bool = False


class TrainingRunRow(SQLModel, table=True):
    """A training run from its start: at most one is `running`, on all machines together; the index sees to that."""

    __tablename__ = "training_runs"
    __table_args__ = (
        Index(
            "one_run_at_a_time",
            "state",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    run_id: UUID = Field(primary_key=True)
    state: str = Field(index=True)
    """`running`; then `promoted`, `awaiting approval`, `refused` by the gate, `failed`, or `interrupted`: stopped or
    killed, to start again."""
    model_version: str
    parent: str | None
    corrections_used: int
    dataset_hash: str = ""
    started_at: datetime = Field(sa_type=UtcDateTime, index=True)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    actor: str
    explanation: str = ""
    """Why it started, and how it ended, in words."""
    gate_report: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    place: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """The machine and data folder where it trains: only there can one see whether its process lives."""
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Renewed as long as its process lives; after that everybody may end it."""


class TrainingExampleRow(SQLModel, table=True):
    """Which correction went into which run, and on which side of the split."""

    __tablename__ = "training_examples"

    run_id: UUID = Field(primary_key=True, foreign_key="training_runs.run_id")
    correction_id: UUID = Field(primary_key=True)
    article_id: UUID = Field(index=True)
    split: str
    """`train`, `holdout`, or why it was left out of both."""


# --- the press; owner: scraper --------------------------------------------------------------------------------------


class FeedRow(SQLModel, table=True):
    """A subscribed feed and what must be remembered to poll it politely."""

    __tablename__ = "feeds"

    url: str = Field(primary_key=True)
    name: str = ""
    active: bool = True
    etag: str = ""
    last_modified: str = ""
    next_poll_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_success_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    failures: int = 0
    """In a row; back to 0 with every success."""
    last_error: str = ""


class FeedItemRow(SQLModel, table=True):
    """A feed item: `waiting` until the broker acknowledged its article, then `sent`. The scraper's durable queue."""

    __tablename__ = "feed_items"

    feed_url: str = Field(primary_key=True)
    item_key: str = Field(primary_key=True)
    url: str = ""
    """Where the page is; with the next two all that a later attempt needs."""
    headline: str = ""
    published_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    stamp: str = ""
    """Hash of what the feed said about the item; a different one means that the publisher changed something."""
    article_id: UUID | None = Field(default=None, index=True)
    """None until the page was read."""
    revision: int = 0
    content_hash: str = ""
    outcome: str = Field(index=True)
    """`waiting`, `sent`, `unchanged` (its article is known with this very text) or `given up`."""
    reason: str = ""
    """Why the last attempt brought no article, in words."""
    attempts: int = 0
    next_try_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)


class StoryFeatureRow(SQLModel, table=True):
    """What identifies each article's story, to recognise it on another site."""

    __tablename__ = "story_features"

    article_id: UUID = Field(primary_key=True)
    story_id: UUID = Field(index=True)
    features: dict[str, float] = Field(sa_column=Column(JSON, nullable=False))
    """Names, numbers and words of the article with their weight: 1 + ln(how often)."""
    seen_at: datetime = Field(sa_type=UtcDateTime, index=True)
