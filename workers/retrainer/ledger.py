"""The retrainer's tables: runs, and which correction went into which. Reads and writes, no decisions.

Everything raises `Unavailable` while the database is away, locked or full.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, String, cast, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from infra.database import transaction
from infra.lease import renew
from infra.observability import metrics
from infra.settings import Settings
from schemas.events import Verdict
from schemas.records import CorrectionRow, TrainingExampleRow, TrainingRunRow
from schemas.training import AWAITING, INTERRUPTED, MISSING_ARTICLE, PROMOTED, RUNNING, RunResult
from workers.retrainer.trigger import Facts, Fresh, Schedule, Wanted


class Lost(Exception):
    """The run is not ours to end: somebody else has ended it, or has seen it live since we looked."""


@dataclass(frozen=True)
class Ledger:
    """The runs in the database, by the given clock."""

    engine: Engine
    now: Callable[[], datetime]

    def facts(self, settings: Settings) -> Facts:
        """What the trigger decides on."""
        with transaction(self.engine) as session:
            fresh = _fresh(session)
            newest = session.exec(select(TrainingRunRow).order_by(col(TrainingRunRow.started_at).desc())).all()
        running = next((row for row in newest if row.state == RUNNING), None)
        last = next((row.finished_at for row in newest if row.finished_at), None)
        interruptions = 0
        for row in newest:
            if row.state != INTERRUPTED:
                break
            interruptions += 1
        return Facts(
            wanted=Wanted(
                enabled=settings.retrain_enabled,
                when=settings.retrain_when,
                corrections=settings.retrain_min_corrections,
                stories=settings.retrain_min_stories,
                curators=settings.retrain_min_curators,
                tag_share=settings.retrain_tag_share,
                cooldown_s=settings.retrain_cooldown_s,
            ),
            fresh=fresh,
            running=running.model_version if running else None,
            schedule=_schedule(settings.retrain_schedule, self.now()),
            last_started=next((row.started_at for row in newest if row.state != INTERRUPTED), None),
            last_finished_s=(self.now() - last).total_seconds() if last else None,
            interruptions=interruptions,
        )

    def running(self) -> TrainingRunRow | None:
        """The run that is under way, or was when its process ended."""
        with transaction(self.engine) as session:
            return session.exec(select(TrainingRunRow).where(TrainingRunRow.state == RUNNING)).first()

    def latest(self) -> TrainingRunRow | None:
        """The run that started last."""
        with transaction(self.engine) as session:
            return session.exec(select(TrainingRunRow).order_by(col(TrainingRunRow.started_at).desc())).first()

    def count(self) -> int:
        """How many runs there ever were."""
        with transaction(self.engine) as session:
            return session.exec(select(func.count()).select_from(TrainingRunRow)).one()

    def of_version(self, version: str) -> TrainingRunRow | None:
        """The run that made a version; None if it came otherwise."""
        with transaction(self.engine) as session:
            return session.exec(select(TrainingRunRow).where(TrainingRunRow.model_version == version)).first()

    def approved(self, version: str, words: str) -> None:
        """Somebody has promoted a version that waited for it; nothing to do for any other version."""
        statement = (
            update(TrainingRunRow)
            .where(col(TrainingRunRow.model_version) == version, col(TrainingRunRow.state) == AWAITING)
            .values(state=PROMOTED, explanation=words)
        )
        with transaction(self.engine) as session:
            session.connection().execute(statement)

    def begin(self, row: TrainingRunRow) -> bool:
        """A run starts, unless another one is under way anywhere."""
        try:
            with transaction(self.engine) as session:
                session.add(row)
        except IntegrityError:  # the index holds, whatever machines and processes do at once
            return False
        return True

    def alive(self, row: TrainingRunRow, lease_s: float, words: str = "") -> None:
        """The run lives, and how far it is. Raises `Lost`."""
        now = self.now()
        due = row.lease_until is None or row.lease_until < now + timedelta(seconds=lease_s * 2 / 3)
        if due and not renew(self.engine, row.run_id, now + timedelta(seconds=lease_s)):
            raise Lost(f"{row.model_version} was taken for dead and ended by somebody else")
        if words and words != row.explanation:
            with transaction(self.engine) as session:
                stored = session.get_one(TrainingRunRow, row.run_id)
                if stored.state == RUNNING:
                    stored.explanation = words
                    session.add(stored)

    def end(self, row: TrainingRunRow, state: str, words: str, *, seen_dead: bool) -> None:
        """A run has ended without a result. Unless its process was seen dead, its lease must be that of `row` still:
        one that was renewed since is alive. Raises `Lost`.
        """
        with transaction(self.engine) as session:
            self._end(session, row.run_id, state, words, {}, () if seen_dead else (_same_lease(row),))
        metrics.TRAINING_RUNS.labels(state).inc()

    def end_with(self, session: Session, row: TrainingRunRow, state: str, words: str, result: RunResult) -> None:
        """A run has ended with a result, inside a transaction: all or nothing of it holds. Raises `Lost`.

        The corrections that it saw count as seen.
        """
        values = {"dataset_hash": result.dataset_hash, "gate_report": result.gate.model_dump(mode="json")}
        self._end(session, row.run_id, state, words, values, ())
        for use in result.uses:
            if use.split != MISSING_ARTICLE:
                session.merge(TrainingExampleRow(run_id=row.run_id, **use.model_dump()))

    def _end(
        self,
        session: Session,
        run_id: UUID,
        state: str,
        words: str,
        values: Mapping[str, object],
        only_if: Sequence[ColumnElement[bool]],
    ) -> None:
        under_way = (col(TrainingRunRow.run_id) == run_id, col(TrainingRunRow.state) == RUNNING, *only_if)
        ended = {"state": state, "explanation": words, "finished_at": self.now(), **values}
        if session.connection().execute(update(TrainingRunRow).where(*under_way).values(ended)).rowcount != 1:
            raise Lost(f"training run {run_id} was ended by somebody else, or it lives")


def _same_lease(row: TrainingRunRow) -> ColumnElement[bool]:
    return col(TrainingRunRow.lease_until) == row.lease_until


def _fresh(session: Session) -> Fresh:
    used = select(TrainingExampleRow.correction_id)
    unseen = (CorrectionRow.verdict == Verdict.corrected, col(CorrectionRow.correction_id).not_in(used))
    made, stories, curators, oldest = session.exec(
        select(
            func.count(),
            func.count(col(CorrectionRow.story_id).distinct()),
            func.count(col(CorrectionRow.curator).distinct()),
            func.min(CorrectionRow.decided_at),
        ).where(*unseen)
    ).one()
    as_text = cast(col(CorrectionRow.error_tags), String)
    by_tags = session.exec(select(as_text, func.count()).where(*unseen).group_by(as_text)).all()
    tags: Counter[tuple[str, ...]] = Counter()
    for text, number in by_tags:
        tags[tuple(sorted(set(json.loads(text))))] += number
    return Fresh(made, stories, curators, tags, oldest)


def _schedule(expression: str, now: datetime) -> Schedule | None:
    if not expression:
        return None
    from croniter import croniter

    times = (croniter(expression, now).get_prev(datetime), croniter(expression, now).get_next(datetime))
    return Schedule(expression, *times)
