"""The retrainer's tables: runs, and which correction went into which. Reads and writes, no decisions.

Everything raises `Unavailable` while the database is away, locked or full.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine
from sqlmodel import col, func, select

from infra.database import transaction
from infra.observability import metrics
from infra.settings import Settings
from schemas.events import Verdict
from schemas.records import CorrectionRow, TrainingExampleRow, TrainingRunRow
from schemas.training import MISSING_ARTICLE, RunResult
from workers.retrainer.trigger import Facts

RUNNING = "running"
PROMOTED = "promoted"
REFUSED = "refused"
FAILED = "failed"
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Ledger:
    """The runs in the database, by the given clock."""

    engine: Engine
    now: Callable[[], datetime]

    def facts(self, settings: Settings) -> Facts:
        """What the trigger decides on."""
        with transaction(self.engine) as session:
            used = select(TrainingExampleRow.correction_id)
            fresh = session.exec(
                select(func.count())
                .select_from(CorrectionRow)
                .where(CorrectionRow.verdict == Verdict.corrected, col(CorrectionRow.correction_id).not_in(used))
            ).one()
            newest = session.exec(select(TrainingRunRow).order_by(col(TrainingRunRow.started_at).desc())).all()
        running = next((row for row in newest if row.state == RUNNING), None)
        last = next((row.finished_at for row in newest if row.finished_at), None)
        interruptions = 0
        for row in newest:
            if row.state != INTERRUPTED:
                break
            interruptions += 1
        return Facts(
            enabled=settings.retrain_enabled,
            running=running.model_version if running else None,
            corrected_since=fresh,
            needed=settings.retrain_min_corrections,
            last_finished_s=(self.now() - last).total_seconds() if last else None,
            cooldown_s=settings.retrain_cooldown_s,
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

    def begin(self, run_id: UUID, version: str, parent: str | None, facts: Facts, actor: str, why: str) -> None:
        """A run starts."""
        row = TrainingRunRow(
            run_id=run_id,
            state=RUNNING,
            model_version=version,
            parent=parent,
            corrections_used=facts.corrected_since,
            started_at=self.now(),
            actor=actor,
            explanation=why,
        )
        with transaction(self.engine) as session:
            session.add(row)

    def tell(self, run_id: UUID, words: str) -> None:
        """How far the run is."""
        with transaction(self.engine) as session:
            row = session.get_one(TrainingRunRow, run_id)
            if row.explanation != words:
                row.explanation = words
                session.add(row)

    def end(self, run_id: UUID, state: str, words: str, result: RunResult | None = None) -> None:
        """A run has ended; with a result, the corrections it saw count as seen. Repeating it changes nothing."""
        with transaction(self.engine) as session:
            row = session.get_one(TrainingRunRow, run_id)
            row.state, row.explanation, row.finished_at = state, words, self.now()
            if result is not None:
                row.dataset_hash = result.dataset_hash
                row.gate_report = result.gate.model_dump(mode="json")
                for use in result.uses:
                    if use.split != MISSING_ARTICLE:
                        session.merge(TrainingExampleRow(run_id=run_id, **use.model_dump()))
            session.add(row)
        metrics.TRAINING_RUNS.labels(state).inc()
