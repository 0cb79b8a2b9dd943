"""What a training run reports: written by `training.run` as its last act, read by the retrainer, kept in the tables.

The two do not import each other; this is the border.
"""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Report(BaseModel):
    """Base of the values below: immutable, and deaf to fields that a newer writer added."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Metrics(Report):
    """How one model did on the held-out stories; the shares are 0..1 of `n`."""

    n: int = Field(ge=0)
    house_rules_pass: float
    entities_right: float
    precision_mean: float
    precision_std: float
    by_tag: dict[str, float]


class Pair(Report):
    """One held-out story, titled by the champion (before) and by the challenger (after)."""

    article_id: UUID
    headline: str
    before: str
    after: str
    tags_before: tuple[str, ...]
    tags_after: tuple[str, ...]
    precision_before: float
    precision_after: float


class Use(Report):
    """What became of one correction: `train`, `holdout`, or why it was left out of both."""

    correction_id: UUID
    article_id: UUID
    split: str


class Condition(Report):
    """One of the gate's conditions: whether it is met, and the sentence that says so with its figures."""

    name: str
    met: bool
    words: str


class GateReport(Report):
    """The gate's verdict with everything that it was made from. `before` is None where there was no champion.

    Where the candidate could not even be loaded, `after` has n = 0. `reasons` are the words of `conditions`.
    """

    passed: bool
    verdict: str
    reasons: tuple[str, ...]
    before: Metrics | None
    after: Metrics
    pairs: tuple[Pair, ...]
    conditions: tuple[Condition, ...] = ()


class RunResult(Report):
    """A finished run: a model version that is complete on disk, and what the gate thinks of it.

    `artefact` is a folder; `digest` is over its content.
    """

    run_id: UUID
    model_version: str
    parent: str | None
    artefact: str
    digest: str
    base_model: str
    base_revision: str
    dataset_hash: str
    prompt_version: str
    prompt_digest: str
    config: dict[str, JsonValue]
    uses: tuple[Use, ...]
    gate: GateReport
    seconds: float


RUNNING = "running"
PROMOTED = "promoted"
AWAITING = "awaiting approval"
REFUSED = "refused"
FAILED = "failed"
INTERRUPTED = "interrupted"
"""The states of a training run."""

RESULT_FILE = "result.json"
PROGRESS_FILE = "progress.txt"
LOG_FILE = "log.txt"
MISSING_ARTICLE = "left out: its article is not in the database"
"""The one way of leaving out that is not for ever: the article may arrive later."""
