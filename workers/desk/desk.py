"""The desk itself: what a curator sees and does, for the pages and the HTTP API alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import Session, col, select

from editorial import rules
from editorial.acronyms import NOTHING_LEARNED, Vocabulary
from infra.observability import metrics, tracing
from infra.published import published_on_story
from schemas.envelope import Message, encode
from schemas.errors import Invalid, Transient
from schemas.events import Article, Correction, Origin, Verdict, Violation
from schemas.records import CorrectionRow, ScoreRow
from schemas.topics import CORRECTIONS, PUBLISHED, Topic
from workers.desk import queue, verdicts
from workers.desk.memory import Memory
from workers.desk.queue import Progress, QueueItem, TitleOnDesk
from workers.desk.verdicts import Standing, Submission

Send = Callable[[Sequence[tuple[Topic, Message]]], None]
"""Returns once the broker has acknowledged every message; raises `Transient` otherwise."""

AUDIT_EVERY = 10
"""Verdicts; else nobody would ever look at the audit where more is flagged than people can judge."""


class Unknown(Invalid):
    """No such title or article."""


class Desk:
    """Thread-safe. Raises `Transient` when the database or the broker does not answer."""

    def __init__(
        self,
        engine: Engine,
        send: Send,
        now: Callable[[], datetime],
        words_of: Callable[[str], Vocabulary] = lambda version: NOTHING_LEARNED,
    ) -> None:
        """`words_of` a model version says what curators had taught about words when it was trained."""
        self._words_of = words_of
        self._engine = engine
        self._send = send
        self._now = now
        self._memory = Memory()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for queries; rows stay readable after it ends."""
        try:
            with Session(self._engine, expire_on_commit=False) as session:
                yield session
        except (OperationalError, InterfaceError) as error:
            raise Transient(f"the database does not answer: {error.orig}") from error

    def now(self) -> datetime:
        """The time, in UTC."""
        return self._now()

    def count_waiting(self) -> int:
        """How many titles wait for a person."""
        with self.reading() as session:
            return queue.count_waiting(session, self._unseen(session))

    def waiting(self, limit: int) -> list[QueueItem]:
        """The queue, the most worth looking at first; every tenth title of the day is one of the random audit."""
        with self.reading() as session:
            unseen = self._unseen(session)
            judged = queue.judged(session, self._morning(), unseen)
            return queue.waiting(session, limit, unseen, audit_next=judged % AUDIT_EVERY == AUDIT_EVERY - 1)

    def progress(self) -> Progress:
        """The day so far; a day begins at midnight on the desk's clock."""
        with self.reading() as session:
            return queue.progress(session, self._morning(), self._unseen(session))

    def title(self, title_id: UUID) -> TitleOnDesk:
        """One title with its article. Raises `Unknown`."""
        sent = self._memory.recall(title_id)  # first: what is forgotten by now, the query below finds
        with self.reading() as session:
            shown = queue.on_desk(session, title_id)
        if shown is None:
            raise Unknown(f"there is no title {title_id}")
        if sent is None:
            return shown
        out = shown.is_out or sent.verdict is not Verdict.spiked
        return shown.model_copy(update={"standing": Standing.model_validate(sent), "is_out": out})

    def check(self, title_id: UUID, text: str) -> tuple[TitleOnDesk, tuple[Violation, ...]]:
        """The title on the desk, and the house rules that `text` in its place would break. Raises `Unknown`."""
        shown = self.title(title_id)
        return shown, self._violations(shown, text)

    def judge(self, title_id: UUID, submission: Submission) -> Correction:
        """Send a verdict; returns once both events are acknowledged. The same verdict again has the same ids.

        Raises `Unknown`, `AlreadyJudged`, `Invalid` for a verdict that cannot stand, and `Transient`: then nothing can
        be said about what was sent, and sending it again is right.
        """
        with self._memory.one_at_a_time(title_id):
            shown = self.title(title_id)
            correction = self._decide(shown, submission)
            sent = self._memory.recall(title_id)
            if sent is not None and sent.correction_id == correction.correction_id:
                return sent
            self._post(shown, correction)
            self._memory.remember(correction)
            return correction

    def _post(self, shown: TitleOnDesk, correction: Correction) -> None:
        verdict = correction.verdict.value
        begun = tracing.begun(Article.event_id_of(shown.article_id, shown.revision))
        with tracing.span("desk verdict", begun, key=str(shown.article_id), verdict=verdict) as traceparent:
            messages = self._messages(shown, correction, traceparent)
            self._send(messages)
        metrics.VERDICTS.labels(verdict).inc()
        for topic, _ in messages:
            metrics.EVENTS_SENT.labels(topic.name).inc()
            if topic is PUBLISHED:
                waited = self._now() - shown.fetched_at
                metrics.FETCHED_TO_PUBLISHED.labels(Origin.curator).observe(max(0.0, waited.total_seconds()))

    def _decide(self, shown: TitleOnDesk, submission: Submission) -> Correction:
        correction = verdicts.correct(submission, self._score(shown.title_id), self._now())
        verdicts.admit(correction, shown.standing, is_out=shown.is_out)
        if shown.standing is not None:
            if shown.standing.correction_id == correction.correction_id:  # a repeat keeps its hour
                return correction.model_copy(update={"decided_at": shown.standing.decided_at})
            later = max(correction.decided_at, shown.standing.decided_at + timedelta(milliseconds=1))
            return correction.model_copy(update={"decided_at": later})
        return correction

    def _messages(self, shown: TitleOnDesk, correction: Correction, traceparent: str) -> list[tuple[Topic, Message]]:
        violations = self._violations(shown, correction.title_after)
        published = verdicts.publish(correction, self._score(correction.title_id), violations)
        time = correction.decided_at
        messages = [(CORRECTIONS, encode(correction, source="desk", time=time, traceparent=traceparent))]
        if published is not None:
            messages.append((PUBLISHED, encode(published, source="desk", time=time, traceparent=traceparent)))
        return messages

    def _violations(self, shown: TitleOnDesk, text: str) -> tuple[Violation, ...]:
        story_id = self._score(shown.title_id).story_id
        with self.reading() as session:
            out = published_on_story(session, story_id, but_for=shown.article_id)
        words = self._words_of(shown.model_version)
        return rules.check(text, shown.text, shown.language, learned=words, published=out)

    def _score(self, title_id: UUID) -> ScoreRow:
        with self.reading() as session:
            row = session.get(ScoreRow, title_id)
        if row is None:
            raise Unknown(f"there is no title {title_id}")
        return row

    def _morning(self) -> datetime:
        return self._now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)

    def _unseen(self, session: Session) -> set[UUID]:
        """Titles with a verdict that the projection does not show yet."""
        sent = self._memory.sent()
        if sent:
            query = select(CorrectionRow.correction_id).where(col(CorrectionRow.correction_id).in_(sent.values()))
            self._memory.forget(session.exec(query))
        return set(self._memory.sent())
