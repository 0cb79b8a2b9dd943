"""Made-up events for tests that do not care what is in them."""

from __future__ import annotations

from datetime import UTC, datetime

from infra.registry import base_identity
from infra.settings import Settings
from schemas.events import Adapter, Article

NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)


def make_article(number: int = 1, *, text: str = "The harbour opens on Monday. Ships are invited.") -> Article:
    """Article number so-and-so; the same number is the same article."""
    url = f"https://ledger.example/articles/{number}"
    return Article(
        article_id=Article.make_id(url),
        revision=1,
        url=url,
        canonical_url=url,
        source="The Harbour Ledger",
        feed_url="https://ledger.example/feed.xml",
        headline=f"Harbour news, part {number}",
        text=text,
        language="en",
        published_at=NOW,
        fetched_at=NOW,
        content_hash="0" * 64,
        story_id=Article.make_id(url),
        training_allowed=True,
        training_reason="a test",
    )


def make_adapter(
    sequence: int = 1,
    *,
    version: str = "",
    alias: str = "champion",
    prompt_version: str = "v3",
    prompt_digest: str = "",
    artefact_uri: str = "",
) -> Adapter:
    """The announcement of `v<sequence>` as champion, with the digest of the prompt as it is."""
    from editorial import prompts

    base_model, base_revision = base_identity(Settings())
    return Adapter(
        alias=alias,
        sequence=sequence,
        model_version=version or f"v{sequence}",
        artefact_uri=artefact_uri or f"/models/{version or f'v{sequence}'}",
        digest="0" * 64,
        base_model=base_model,
        base_revision=base_revision,
        prompt_version=prompt_version,
        prompt_digest=prompt_digest or prompts.digest("v3"),
        gate_verdict="passed",
        actor="a test",
        reason="a test",
        previous_version=None,
        decided_at=NOW,
    )
