"""A finished run becomes a registered version, and the champion if the gate and the settings say so: whole or not."""

from __future__ import annotations

import logging
from pathlib import Path

from infra.artefacts import objection
from infra.database import transaction
from infra.observability import metrics
from infra.registry import CANARY, CHAMPION, Conflict, ModelRegistry
from infra.settings import Settings
from schemas.records import ModelVersionRow, TrainingRunRow
from schemas.training import AWAITING, FAILED, PROMOTED, REFUSED, RunResult
from workers.retrainer.ledger import Ledger

log = logging.getLogger(__name__)


def conclude(
    settings: Settings, ledger: Ledger, registry: ModelRegistry, row: TrainingRunRow, result: RunResult
) -> str:
    """Register the version, whatever the gate said. Then, in one transaction, the run ends and the champion moves; or
    the canary, where settings want one.

    It may be repeated after a crash at any point. Returns how the run ended. Raises `Lost`.
    """
    registry.register(version_row(result, row))
    while True:
        champion = registry.alias(CHAMPION)
        state, words = _verdict(result, champion.version if champion else None, settings)
        moved = CANARY if settings.canary_share and champion else CHAMPION
        alias = registry.alias(moved)
        try:
            with transaction(ledger.engine) as session:
                ledger.end_with(session, row, state, words, result)
                if state == PROMOTED:
                    registry.set_alias_within(
                        session,
                        moved,
                        result.model_version,
                        expected_sequence=alias.sequence if alias else 0,
                        actor="retrainer",
                        reason=f"training run {result.run_id}",
                        gate_verdict=result.gate.verdict,
                    )
        except Conflict as conflict:
            log.info("%s: %s; looking again", result.model_version, conflict)
            continue
        metrics.TRAINING_RUNS.labels(state).inc()
        return words


def _verdict(result: RunResult, champion: str | None, settings: Settings) -> tuple[str, str]:
    version, gate = result.model_version, result.gate
    if not gate.passed:
        return REFUSED, f"{version} {gate.verdict}"
    if champion != result.parent:
        return REFUSED, f"{version} was compared with {result.parent}, but the champion has changed meanwhile"
    if reason := objection(Path(result.artefact), result.digest):
        return FAILED, f"{version} passed the gate, but {reason}"
    if settings.retrain_approval:
        return AWAITING, f"{version} passed the gate and awaits approval: copydesk models promote {version}"
    if settings.canary_share and champion:
        return PROMOTED, f"{version} is the canary, with {settings.canary_share:.0%} of the articles: {gate.verdict}"
    return PROMOTED, f"{version} is champion: {gate.verdict}"


def version_row(result: RunResult, row: TrainingRunRow) -> ModelVersionRow:
    """The registry's entry for a finished run."""
    return ModelVersionRow(
        version=result.model_version,
        artefact_uri=result.artefact,
        digest=result.digest,
        base_model=result.base_model,
        base_revision=result.base_revision,
        dataset_hash=result.dataset_hash,
        prompt_version=result.prompt_version,
        prompt_digest=result.prompt_digest,
        parent=result.parent,
        config=result.config,
        metrics=result.gate.after.model_dump(mode="json"),
        created_at=row.started_at,
    )
