"""What serves before anything was ever trained."""

from __future__ import annotations

from datetime import datetime

from editorial import prompts
from infra.registry import BARE_BASE, ModelRegistry, base_identity, digest_folder, ensure_first_champion, is_demo_base
from infra.settings import DEMO_MODEL, Settings
from schemas.records import ModelVersionRow

DEMO_ADAPTER = "v1"
DEMO_PROMPT = "v3"
"""The prompt that the demo's adapter was trained with."""
BARE_PROMPT = "v2"
"""A model that was not tuned must be told the house rules."""


def first_champion(registry: ModelRegistry, settings: Settings, now: datetime) -> None:
    """Make sure that there is a champion: the adapter that comes with the demo's base, or any other base as it is."""
    base_model, base_revision = base_identity(settings)
    demo = is_demo_base(settings)
    artefact = DEMO_MODEL / DEMO_ADAPTER
    prompt_version = DEMO_PROMPT if demo else BARE_PROMPT
    first = ModelVersionRow(
        version=DEMO_ADAPTER if demo else BARE_BASE,
        artefact_uri=str(artefact) if demo else settings.base_model,
        digest=digest_folder(artefact) if demo else "",
        base_model=base_model,
        base_revision=base_revision,
        dataset_hash="",
        prompt_version=prompt_version,
        prompt_digest=prompts.digest(prompt_version),
        parent=None,
        config={},
        metrics={},
        created_at=now,
    )
    ensure_first_champion(registry, first)
