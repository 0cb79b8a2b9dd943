"""A desk with something on it: rows as the archivist would have written them. All stories are made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import Engine
from sqlmodel import Session

from editorial import rules
from schemas.envelope import Message
from schemas.errors import Transient
from schemas.events import Title
from schemas.records import ArticleRow, PublicationRow, ScoreRow, TitleRow
from schemas.topics import Topic

NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)


class RecordingBroker:
    """A broker that keeps what it is sent, in order; `down` makes it fail as a real one does."""

    def __init__(self) -> None:
        self.sent: list[tuple[Topic, Message]] = []
        self.down = False

    def __call__(self, pairs: Sequence[tuple[Topic, Message]]) -> None:
        """A `Send` for the desk."""
        if self.down:
            raise Transient("no Kafka broker answers at 127.0.0.1:29092")
        self.sent.extend(pairs)


@dataclass(frozen=True)
class Case:
    """One article and the title a model wrote over it."""

    slug: str
    headline: str
    text: str
    title: str
    precision: float = 0.5
    evidence: str = ""
    reasons: tuple[str, ...] = ()
    source: str = "The Harbour Ledger"
    revision: int = 1
    decision: str = "review"
    minutes_ago: int = 5
    model_version: str = "v1"
    audit: bool = False
    probability: float | None = None
    url: str = ""
    story: str = ""
    """Slug of the article that told it first; empty: this one did."""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def article_id(self) -> UUID:
        """The same slug is the same article."""
        return _article_id(self.slug)

    @property
    def story_id(self) -> UUID:
        """Named after its first article."""
        return _article_id(self.story or self.slug)

    @property
    def title_id(self) -> UUID:
        """As the generator would have named it."""
        return Title.make_id(self.article_id, self.revision, self.model_version, "v1")


def _article_id(slug: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"https://ledger.example/{slug}")


def put(engine: Engine, *cases: Case) -> None:
    """Write the rows of these cases."""
    with Session(engine) as session:
        for case in cases:
            moment = NOW - timedelta(minutes=case.minutes_ago)
            for row in (article_row(case, moment), title_row(case, moment), score_row(case, moment)):
                session.merge(row)
            if case.decision == "publish":
                session.merge(publication_row(case, moment))
        session.commit()


def article_row(case: Case, moment: datetime) -> ArticleRow:
    """The article as the archivist keeps it."""
    url = case.url or f"https://ledger.example/{case.slug}"
    return ArticleRow.model_validate(
        {
            "article_id": case.article_id,
            "revision": case.revision,
            "url": url,
            "canonical_url": url,
            "source": case.source,
            "feed_url": "https://ledger.example/feed.xml",
            "headline": case.headline,
            "text": case.text,
            "language": "en",
            "published_at": moment - timedelta(minutes=20),
            "fetched_at": moment,
            "content_hash": f"hash of {case.slug} {case.revision}",
            "story_id": case.story_id,
            "training_allowed": True,
            "training_reason": "nothing forbids it",
        }
    )


def title_row(case: Case, moment: datetime) -> TitleRow:
    """The title as the generator wrote it."""
    return TitleRow.model_validate(
        {
            "title_id": case.title_id,
            "article_id": case.article_id,
            "revision": case.revision,
            "story_id": case.story_id,
            "text": case.title,
            "raw": case.title,
            "model_version": case.model_version,
            "base_model": "copydesk-demo-base",
            "adapter_digest": "5f2c",
            "prompt_version": "v1",
            "shots": 0,
            "attempts": 1,
            "input_tokens": 412,
            "output_tokens": 13,
            "latency_seconds": 0.41,
            "cost_usd": 0.0,
            "written_at": moment,
        }
    )


def score_row(case: Case, moment: datetime) -> ScoreRow:
    """The scorer's judgement, with the house rules as they really are."""
    broken = rules.check(case.title, case.text, "en")
    return ScoreRow.model_validate(
        {
            "title_id": case.title_id,
            "article_id": case.article_id,
            "revision": case.revision,
            "story_id": case.story_id,
            "url": case.url or f"https://ledger.example/{case.slug}",
            "source": case.source,
            "text": case.title,
            "model_version": case.model_version,
            "prompt_version": "v1",
            "decision": case.decision,
            "precision": case.precision,
            "recall": 0.31,
            "f1": 0.38,
            "scorer": "minilm_L5_no-idf",
            "evidence": case.evidence,
            "violations": [violation.model_dump() for violation in broken],
            "review_reasons": [*(violation.reason for violation in broken), *case.reasons],
            "audit": case.audit,
            "probability": case.probability,
            "scored_at": moment,
        }
    )


def publication_row(case: Case, moment: datetime) -> PublicationRow:
    """The model's title as it went out."""
    return PublicationRow.model_validate(
        {
            "event_id": case.title_id,
            "title_id": case.title_id,
            "article_id": case.article_id,
            "revision": case.revision,
            "text": case.title,
            "origin": "model",
            "verdict": None,
            "correction_id": None,
            "published_at": moment,
        }
    )


_TIDE = """\
Nordhafen — Brinewater, a four-year-old company from the old fish market, has released a model that forecasts \
harbour levels up to nine days ahead and runs on an ordinary office computer.

Until now, ports on this coast paid for forecasts that were computed overnight at a national centre and arrived \
with the morning mail. Brinewater's model needs eleven minutes on a machine without a graphics card, says its \
founder Ilse Maarten, and can be run again whenever the wind turns.

In a trial with three ports over the past winter, the nine-day forecast was off by 14 centimetres on average, \
against 22 for the service that the ports use today. "We did not believe the first week," said Jonas Thale, who \
schedules the locks at Nordhafen. "By February we were planning the night shift with it."

The company publishes the model's weights under an open licence and sells support. It says nothing about \
storm surges: those are rare, and the model has seen only two.

The port authority has not decided whether to drop the national service. A decision is expected in spring, when \
the contract ends."""

TIDE = Case(
    slug="tide",
    headline="Tide forecasts leave the computing centre",
    text=_TIDE,
    title="Brinewater’s TFN model forecasts harbor tides 12 days ahead on a laptop",
    precision=0.47,
    evidence="Brinewater, a four-year-old company from the old fish market, has released a model that forecasts "
    "harbour levels up to nine days ahead and runs on an ordinary office computer.",
    reasons=("The article supports it poorly: precision 0.47, below 0.55.",),
    minutes_ago=4,
)

OTHERS: tuple[Case, ...] = (
    Case(
        slug="parish",
        headline="Parish registers of four centuries become searchable",
        source="Inland Courier",
        text="The county archive has released a dataset of 2.1 million handwritten entries from parish registers, "
        "each with a photograph and a checked transcription.\n\nIt is meant for teaching computers to read old hands, "
        "and for families who look for their ancestors. The entries span the years 1580 to 1940.",
        title="“Parish hands” arrives",
        precision=0.44,
        evidence="The county archive has released a dataset of 2.1 million handwritten entries from parish registers",
        reasons=("The article supports it poorly: precision 0.44, below 0.55.",),
        minutes_ago=11,
    ),
    Case(
        slug="tools",
        headline="Seven helpers for small newsrooms",
        source="Byline Weekly",
        text="We tried seven tools that small newsrooms can afford. Here are the ones we kept.\n\n"
        "1. Scribewell transcribes interviews in twenty languages.\n\n2. Margin checks figures against a table.\n\n"
        "3. Photoledger finds where a picture was printed before.\n\n4. Quillcheck reads a draft aloud.\n\n"
        "5. Minutely writes the minutes of council meetings.\n\n6. Deadline Bell sorts the inbox by urgency.\n\n"
        "7. Folio lays out a page from a list of stories.",
        title="Scribewell transcribes interviews in twenty languages",
        precision=0.63,
        evidence="Scribewell transcribes interviews in twenty languages.",
        minutes_ago=16,
    ),
    Case(
        slug="kelp",
        headline="Kelp & Sons raises money for sorting robots",
        source="Inland Courier",
        text="Kelp & Sons, which builds robots that sort fish by freshness, has raised $18 million from two "
        "regional banks.\n\nThe money pays for forty robots in six harbours by next autumn.",
        title="Kelp & Sons raises $80 million for fish-sorting robots",
        precision=0.71,
        evidence="Kelp & Sons, which builds robots that sort fish by freshness, has raised $18 million from two "
        "regional banks.",
        minutes_ago=22,
    ),
    Case(
        slug="silence",
        headline="A quiet week",
        source="Byline Weekly",
        text="Nothing much was announced this week. We used the time to answer letters from readers about the "
        "translation models we reviewed in October.",
        title="",
        precision=0.0,
        minutes_ago=27,
    ),
    Case(
        slug="council",
        headline="Council writes down when machines may answer citizens",
        text="The city council has agreed on rules for automatic answers to citizens. A letter written by a model "
        "must say so in its first line, and a person must be reachable by telephone.\n\nThe rules apply from January.",
        title="City council sets rules for letters written by models",
        precision=0.52,
        evidence="The city council has agreed on rules for automatic answers to citizens.",
        reasons=("The article supports it poorly: precision 0.52, below 0.55.",),
        minutes_ago=41,
    ),
    Case(
        slug="lighthouse",
        headline="Lighthouse keeper’s logbook trains a fog model",
        source="The Harbour Ledger",
        text="A logbook kept at the Stenholm lighthouse for ninety years has helped researchers to train a model "
        "that predicts fog six hours ahead.\n\nIt will be tested with two ferry lines this winter.",
        title="Ninety years of lighthouse logs help predict fog",
        precision=0.78,
        evidence="A logbook kept at the Stenholm lighthouse for ninety years has helped researchers to train a model "
        "that predicts fog six hours ahead.",
        reasons=("A random sample: nothing spoke against it.",),
        minutes_ago=55,
        audit=True,
    ),
)
