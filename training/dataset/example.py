"""One row of a data set: an article, the title to learn, who gave it, and on which side of the split it stands.

A story belongs to the held-out side for ever, whoever writes about it and whenever: that is decided by its id alone.
What is held out is never trained on; what is trained on is never evaluated on (docs/adr/0006).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

HOLDOUT_SHARE = 0.3
"""Share of all stories that is kept for evaluation."""
TRAIN = "train"
VALIDATION = "validation"
HOLDOUT = "holdout"
SPLITS = (TRAIN, VALIDATION, HOLDOUT)


class Origin(StrEnum):
    """How a title came to be the one to learn."""

    correction = "correction"  # a curator rewrote the model's
    approval = "approval"  # a curator let the model's stand
    audit = "audit"  # a curator judged a title that nothing had flagged, approved or rewrote it
    teacher = "teacher"  # a larger model wrote it
    imported = "import"  # it came with the article, a publisher's headline for example


def is_held_out(story_id: UUID) -> bool:
    """Whether a story is kept for evaluation. It does not depend on Python's or any other process's hash seed."""
    return _share(b"copydesk holdout ", story_id) < HOLDOUT_SHARE


def is_validation(story_id: UUID, share: float) -> bool:
    """Whether a story that may be trained on is among the share that training only measures itself by."""
    return _share(b"copydesk validation ", story_id) < share


def _share(purpose: bytes, story_id: UUID) -> float:
    return int.from_bytes(hashlib.sha256(purpose + story_id.bytes).digest()[:8], "big") / 2**64


@dataclass(frozen=True)
class Example:
    """An article with its title and where both come from. Everything after `split` may be unknown, that is empty."""

    example_id: str
    article_id: UUID
    revision: int
    story_id: UUID
    text: str
    title: str
    origin: Origin
    split: str
    source: str = ""
    """The publisher."""
    language: str = ""
    at: datetime | None = None
    """When the title was given."""
    error_tags: tuple[str, ...] = ()
    curator: str = ""
    title_before: str = ""
    model_version: str = ""
    """Who wrote `title_before`; of a teacher's label, the title itself."""
    prompt_version: str = ""
    """The prompt in that model's hands."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Further text columns, for the `{column}` placeholders of a prompt."""

    @property
    def line(self) -> str:
        """One line of JSON, the same for the same example everywhere."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values |= {"article_id": str(self.article_id), "story_id": str(self.story_id), "columns": {**self.columns}}
        values["at"] = self.at.astimezone(UTC).isoformat() if self.at else None
        return json.dumps(values, ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_line(cls, line: str | bytes) -> Example:
        """The example of such a line. Raises `ValueError`, `TypeError` or `KeyError` for anything else."""
        values = json.loads(line)
        values["article_id"], values["story_id"] = UUID(values["article_id"]), UUID(values["story_id"])
        values["origin"], values["error_tags"] = Origin(values["origin"]), tuple(values["error_tags"])
        values["at"] = datetime.fromisoformat(values["at"]) if values["at"] else None
        return cls(**values)
