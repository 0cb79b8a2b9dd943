"""The map: every topic, what is on it, who writes it and who reads it. Nothing else spells a topic name.

The README's diagram, the AsyncAPI document and the topics of the broker are made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.events import Adapter, Article, Correction, Event, ScoredTitle, Title

DAY_MS = 24 * 60 * 60 * 1000
KEEP_FOREVER = -1
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""A title carries its article; the scraper cuts an article's text at `MAX_TEXT_BYTES`, which leaves room to spare."""
MAX_TEXT_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class Topic:
    """One topic. `partitions` is the production figure; the embedded broker uses `EMBEDDED_PARTITIONS` for all.

    `ordered`: a reader of ours handles events of the same key one after the other. Where a later event replaces what an
    earlier one said, it must not be overtaken; where each event stands for itself, order would only be waiting.
    """

    name: str
    event: type[Event]
    key: str
    partitions: int
    retention_ms: int
    compacted: bool
    ordered: bool
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    purpose: str

    @property
    def dead_letters(self) -> str:
        """Where messages go that this topic's readers cannot handle (Spring Kafka's suffix)."""
        return f"{self.name}-dlt"


EMBEDDED_PARTITIONS = 4

ARTICLES = Topic(
    name="articles",
    event=Article,
    key="article_id",
    partitions=24,
    retention_ms=KEEP_FOREVER,
    compacted=False,
    ordered=True,
    writers=("scraper",),
    readers=("generator", "archivist"),
    purpose="Articles as found; a revised text comes again with the next revision.",
)
TITLES = Topic(
    name="titles",
    event=Title,
    key="article_id",
    partitions=24,
    retention_ms=KEEP_FOREVER,
    compacted=False,
    ordered=True,
    writers=("generator",),
    readers=("scorer", "archivist"),
    purpose="Titles as a model wrote them, not yet judged.",
)
PUBLISHED = Topic(
    name="published",
    event=ScoredTitle,
    key="article_id",
    partitions=24,
    retention_ms=KEEP_FOREVER,
    compacted=False,
    ordered=True,
    writers=("scorer", "desk"),
    readers=("archivist", "downstream"),
    purpose="Finished titles: the one topic that other services consume.",
)
REVIEW = Topic(
    name="review",
    event=ScoredTitle,
    key="article_id",
    partitions=12,
    retention_ms=KEEP_FOREVER,
    compacted=False,
    ordered=False,
    writers=("scorer",),
    readers=("archivist",),
    purpose="Doubtful titles that wait for a person; the desk shows them from the database.",
)
CORRECTIONS = Topic(
    name="corrections",
    event=Correction,
    key="article_id",
    partitions=12,
    retention_ms=KEEP_FOREVER,
    compacted=False,
    ordered=True,
    writers=("desk",),
    readers=("archivist",),
    purpose="What curators decided; the retrainer counts and learns from them through the database.",
)
ADAPTERS = Topic(
    name="adapters",
    event=Adapter,
    key="alias",
    partitions=1,
    retention_ms=KEEP_FOREVER,
    compacted=True,
    ordered=True,
    writers=("retrainer",),
    readers=("generator", "archivist"),
    purpose="The model version behind each alias: the desired state of every generator.",
)

TOPICS: tuple[Topic, ...] = (ARTICLES, TITLES, PUBLISHED, REVIEW, CORRECTIONS, ADAPTERS)
EVENT_TYPES: dict[str, type[Event]] = {topic.event.type_name: topic.event for topic in TOPICS}
