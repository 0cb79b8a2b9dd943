"""What came of it: everything is counted from the topics and the database themselves, then judged.

`gather` reads; `problems` decides and knows nothing of services, so that its own tests can hand it broken evidence.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import inspect
from sqlmodel import Session, SQLModel, select

from infra.database import make_engine
from infra.kafka import Record, read_whole
from infra.settings import Settings
from schemas.envelope import Envelope, decode
from schemas.errors import Invalid
from schemas.events import Adapter, Article, ScoredTitle, Title
from schemas.records import AdapterRow, ArticleRow, PublicationRow, ScoreRow, TitleRow
from schemas.topics import ADAPTERS, ARTICLES, PUBLISHED, REVIEW, TITLES, TOPICS
from tests.chaos.articles import Sent
from tests.chaos.feeder import GROUPS, Position
from workers.archivist.projection import project
from workers.dead_letters import SPRING

READERS = {topic.name: [group for group, topics in GROUPS.items() if topic in topics] for topic in TOPICS}
TABLES: tuple[type[SQLModel], ...] = (ArticleRow, TitleRow, ScoreRow, PublicationRow, AdapterRow)


class Seen(NamedTuple):
    """An event on a topic: its id, and what its order is judged by."""

    id: str
    key: str
    revision: int


class Letter(NamedTuple):
    """A dead letter: who buried what. `id` is empty for what cannot be read; the key names it then."""

    topic: str
    group: str
    key: str
    id: str
    reason: str


Rows = dict[str, dict[tuple[object, ...], object]]
"""By table the rows, by primary key."""


@dataclass
class Evidence:
    """All that is known at the end. `sent` and `broken` went in; `sent` by the id that the title must have."""

    sent: set[str]
    broken: set[str]
    topics: dict[str, list[Seen]]
    letters: list[Letter]
    unchanged: bool
    """Whether every dead letter has key, value and headers of the message that it stands for."""
    expected_rows: Rows
    rows: Rows
    row_counts: dict[str, int]
    positions: list[Position]
    still_running: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    def ids(self, topic_name: str) -> set[str]:
        return {seen.id for seen in self.topics[topic_name]}

    @property
    def dead(self) -> set[str]:
        """Titles that will never be, because their article or they themselves are a dead letter."""
        return {letter.id for letter in self.letters if letter.id and letter.group != "copydesk.archivist"}

    @property
    def lost(self) -> set[str]:
        buried = {letter.key for letter in self.letters if not letter.id}
        out = self.ids(PUBLISHED.name) | self.ids(REVIEW.name) | self.dead
        return (self.sent - out) | (self.broken - buried)

    def repeats(self, topic_name: str) -> int:
        """How many messages of the topic were there already."""
        return len(self.topics[topic_name]) - len(self.ids(topic_name))

    @property
    def repeated_rows(self) -> int:
        """Rows beyond one per id."""
        return sum(self.row_counts[name] - len(rows) for name, rows in self.rows.items())


def problems(evidence: Evidence) -> list[str]:
    """Every promise that was not kept, in words; none if all is well."""
    published, review = evidence.ids(PUBLISHED.name), evidence.ids(REVIEW.name)
    came_out = evidence.ids(ARTICLES.name) | evidence.ids(TITLES.name) | published | review
    found = [
        _some("lost", evidence.lost),
        _some("on a topic, but never sent", came_out - evidence.sent),
        _some("both published and in review", published & review),
        _some("titled, but neither judged nor buried", evidence.ids(TITLES.name) - published - review - evidence.dead),
        _some("both judged and buried", (published | review) & evidence.dead),
        _some("not buried by each of its readers", _half_buried(evidence)),
        _some("buried for another reason than its bytes or the model server", _wrongly_buried(evidence)),
        _some("overtaken by a later revision", _overtaken(evidence)),
        _some("not committed to the end", _uncommitted(evidence)),
        _some("still running", evidence.still_running),
        _some("ended and no fault explains it", evidence.unexplained),
    ]
    if not evidence.unchanged:
        found.append("a dead letter is not the message that it stands for")
    if evidence.repeated_rows:
        found.append(f"{evidence.repeated_rows} rows of the database are there twice")
    for table, expected in evidence.expected_rows.items():
        stored = evidence.rows[table]
        found.append(_some(f"missing in the table {table}", expected.keys() - stored.keys()))
        found.append(_some(f"in the table {table}, but on no topic", stored.keys() - expected.keys()))
        differing = [key for key, row in expected.items() if key in stored and stored[key] != row]
        found.append(_some(f"different in the table {table} and on the topics", differing))
    return [problem for problem in found if problem]


def _some(what: str, which: Iterable[object]) -> str:
    listed = sorted(str(each) for each in which)
    return f"{len(listed)} {what}: {', '.join(listed[:5])}{', …' if len(listed) > 5 else ''}" if listed else ""


def _half_buried(evidence: Evidence) -> set[str]:
    buried = {(letter.group, letter.key) for letter in evidence.letters if letter.topic == ARTICLES.name}
    return {
        f"{key} by {group}" for group in READERS[ARTICLES.name] for key in evidence.broken if (group, key) not in buried
    }


def _wrongly_buried(evidence: Evidence) -> list[str]:
    return [
        f"{letter.id or letter.key} by {letter.group}: {letter.reason}"
        for letter in evidence.letters
        if not (letter.topic == ARTICLES.name and letter.key in evidence.broken)
        and not (letter.group == "copydesk.generator" and "the model server" in letter.reason)
    ]


def _overtaken(evidence: Evidence) -> list[str]:
    """Repetitions aside, the revisions of an article come in their order wherever the topic read asks for order."""
    found = []
    for topic in (TITLES, PUBLISHED, REVIEW):
        latest: dict[str, int] = defaultdict(int)
        known: set[str] = set()
        for seen in evidence.topics[topic.name]:
            if seen.id not in known and seen.revision < latest[seen.key]:
                found.append(f"{topic.name} {seen.key} revision {seen.revision} after {latest[seen.key]}")
            known.add(seen.id)
            latest[seen.key] = max(latest[seen.key], seen.revision)
    return found


def _uncommitted(evidence: Evidence) -> list[str]:
    return [
        f"{position.group} {position.topic}-{position.partition} {position.committed} of {position.end}"
        for position in evidence.positions
        if position.committed != position.end
    ]


def gather(settings: Settings, sent: list[Sent], adapter: Adapter, positions: list[Position]) -> Evidence:
    """Read everything: all topics from their beginnings, all letters, all rows."""
    topics: dict[str, list[Seen]] = {}
    newest: dict[str, dict[tuple[object, ...], tuple[object, str, object]]] = {_name(table): {} for table in TABLES}
    sources: dict[tuple[str, int, int], Record] = {}
    for topic in (ARTICLES, TITLES, PUBLISHED, REVIEW, ADAPTERS):
        topics[topic.name] = []
        for record in read_whole(settings, topic.name):
            sources[topic.name, record.partition, record.offset] = record
            envelope = _opened(record)
            if envelope is None:
                continue
            if topic is not ADAPTERS:
                topics[topic.name].append(_seen(envelope, adapter))
            for upsert in project(topic, envelope):
                table, key, values = _row(upsert.row)
                candidate = (getattr(upsert.row, upsert.newest_by), repr(values), values)
                if key not in newest[table] or newest[table][key][:2] < candidate[:2]:
                    newest[table][key] = candidate
    rows, row_counts = _stored(settings)
    letters, unchanged = _letters(settings, sources, adapter)
    return Evidence(
        sent={_title_id(each.article, adapter) for each in sent if each.article},
        broken={each.name for each in sent if each.article is None},
        topics=topics,
        letters=letters,
        unchanged=unchanged,
        expected_rows={name: {key: held[2] for key, held in of_table.items()} for name, of_table in newest.items()},
        rows=rows,
        row_counts=row_counts,
        positions=positions,
    )


def _title_id(article: Article, adapter: Adapter) -> str:
    return str(Title.make_id(article.article_id, article.revision, adapter.model_version, adapter.prompt_version))


def _opened(record: Record) -> Envelope | None:
    try:
        return decode(record.value, record.headers)
    except Invalid:
        return None


def _seen(envelope: Envelope, adapter: Adapter) -> Seen:
    match envelope.event:
        case Article() as article:
            return Seen(_title_id(article, adapter), article.key, article.revision)
        case Title() as title:
            return Seen(str(title.title_id), title.key, title.article.revision)
        case ScoredTitle() as scored:
            return Seen(str(scored.title_id), scored.key, scored.revision)
    raise AssertionError(f"nobody sent a {envelope.event.type_name}")


def _letters(
    settings: Settings, sources: Mapping[tuple[str, int, int], Record], adapter: Adapter
) -> tuple[list[Letter], bool]:
    letters, unchanged = [], True
    for topic in TOPICS:
        for record in read_whole(settings, topic.dead_letters):
            said = {name: raw or b"" for name, raw in record.headers}
            partition, offset = (int.from_bytes(said[f"{SPRING}original-{what}"]) for what in ("partition", "offset"))
            source = sources[topic.name, partition, offset]
            unchanged &= (record.key, record.value) == (source.key, source.value)
            unchanged &= record.headers[: len(source.headers)] == source.headers
            envelope = _opened(source)
            letters.append(
                Letter(
                    topic=topic.name,
                    group=said[SPRING + "original-consumer-group"].decode(),
                    key=(record.key or b"").decode(),
                    id=_seen(envelope, adapter).id if envelope else "",
                    reason=said[SPRING + "exception-message"].decode(),
                )
            )
    return letters, unchanged


def _stored(settings: Settings) -> tuple[Rows, dict[str, int]]:
    engine = make_engine(settings)
    rows: dict[str, dict[tuple[object, ...], object]] = {}
    counts: dict[str, int] = {}
    try:
        with Session(engine) as session:
            for table in TABLES:
                found = [_row(row) for row in session.exec(select(table))]
                rows[_name(table)] = {key: values for _, key, values in found}
                counts[_name(table)] = len(found)
                if table in (TitleRow, ScoreRow, PublicationRow):  # one row per title, whatever the primary key says
                    titles = Counter(values["title_id"] for _, _, values in found)
                    counts[_name(table)] += sum(titles.values()) - len(titles)
    finally:
        engine.dispose()
    return rows, counts


def _row(row: SQLModel) -> tuple[str, tuple[object, ...], dict[str, object]]:
    values = {name: _plain(value) for name, value in row.model_dump().items()}
    key = tuple(values[column.name] for column in inspect(type(row)).primary_key)
    return _name(type(row)), key, values


def _plain(value: object) -> object:
    """Comparable, whichever database it went through."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


def _name(table: type[SQLModel]) -> str:
    return str(table.__tablename__)
