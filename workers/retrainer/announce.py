"""Promotions become events on `adapters`; a move counts as announced only once the broker has it."""

from __future__ import annotations

from contextlib import closing

from infra.kafka import make_producer, send_acked
from infra.observability import metrics, tracing
from infra.registry import CANARY, CHAMPION, ModelRegistry
from infra.settings import Settings
from schemas.envelope import encode
from schemas.events import Adapter
from schemas.records import AliasHistoryRow, ModelVersionRow
from schemas.topics import ADAPTERS


def adapter_event(move: AliasHistoryRow, version: ModelVersionRow, share: float = 1.0) -> Adapter:
    """The event of one move of an alias; `share` of the articles is the canary's."""
    return Adapter(
        alias=move.alias,
        sequence=move.sequence,
        model_version=move.version,
        artefact_uri=version.artefact_uri,
        digest=version.digest,
        base_model=version.base_model,
        base_revision=version.base_revision,
        prompt_version=version.prompt_version,
        prompt_digest=version.prompt_digest,
        gate_verdict=move.gate_verdict,
        actor=move.actor,
        reason=move.reason,
        previous_version=move.previous_version,
        decided_at=move.decided_at,
        share=share,
    )


def announce(registry: ModelRegistry, settings: Settings, *, again: bool = False) -> int:
    """Send what no broker has acknowledged yet; with `again` also each alias' last move, in case the topic is new.

    Returns how many events were sent. The same move is the same event, so repeating does no harm. Raises `Transient`.
    """
    moves = registry.unannounced()
    if again:
        moves += [move for alias in (CHAMPION, CANARY) for move in registry.history(alias)[-1:] if move.announced]
    if not moves:
        return 0
    with closing(make_producer(settings, "copydesk-retrainer")) as producer:
        for move in moves:
            version = registry.get(move.version)
            assert version is not None, "a foreign key holds this"
            with tracing.span("retrainer announcement", version=move.version) as traceparent:
                event = adapter_event(move, version, settings.canary_share if move.alias == CANARY else 1.0)
                message = encode(event, source="retrainer", time=move.decided_at, traceparent=traceparent)
                send_acked(producer, [(ADAPTERS, message)])
            metrics.EVENTS_SENT.labels(ADAPTERS.name).inc()
            registry.mark_announced(move.alias, move.sequence)
    return len(moves)
