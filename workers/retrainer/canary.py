"""A canary writes a share of the titles beside the champion; by them it gets all articles, or none.

What counts against a title is the same for both versions: a broken house rule, or less BERTScore precision than the
scorer's threshold (what a flagger has learned belongs to one version and is left aside). The canary is looked at ten
times, each time with a tenth of its titles more, and against what the champion wrote meanwhile: Fisher's exact test,
one-sided. Each look may err in 0.5 of 100 cases (Bonferroni), so that a canary that is no worse is sent back in at most
5 of 100.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scipy.stats import fisher_exact
from sqlalchemy import Engine
from sqlmodel import col, select

from editorial.flagger import default_threshold
from infra.database import transaction
from infra.registry import CANARY, CHAMPION, Conflict, ModelRegistry
from infra.settings import Settings
from schemas.records import ScoreRow

LOOKS = 10
ERROR = 0.05
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """One title that was scored: by the canary or by the champion, and whether something counts against it."""

    canary: bool
    bad: bool


@dataclass(frozen=True)
class Finding:
    """`passed` is None while it is too early to say."""

    passed: bool | None
    words: str


def judge(written: Sequence[Written], wanted: int) -> Finding:
    """What the titles, in the order in which they were scored, say of a canary that is to write `wanted` of them."""
    step = max(1, wanted // LOOKS)
    seen = sum(one.canary for one in written)
    look = min(LOOKS, seen // step)
    if look == 0 or seen == len(written):
        return Finding(None, f"{seen} of {wanted} titles, {len(written) - seen} of the champion's beside them")
    bad, good = [0, 0], [0, 0]
    for one in written:
        if bad[1] + good[1] == look * step:
            break
        (bad if one.bad else good)[one.canary] += 1
    chance = float(fisher_exact([[bad[1], good[1]], [bad[0], good[0]]], alternative="greater").pvalue)
    words = (
        f"something counts against {bad[1]} of {bad[1] + good[1]} titles, and against {bad[0]} of "
        f"{bad[0] + good[0]} of the champion's in the same time (by chance in {chance:.1%} of cases)"
    )
    if chance < ERROR / LOOKS:
        return Finding(False, words)
    return Finding(True if look == LOOKS else None, words)


def look_after(engine: Engine, registry: ModelRegistry, settings: Settings) -> str:
    """Move an alias if the canary's time has come; says what was done, empty for nothing. The move is not announced."""
    canary, champion = registry.alias(CANARY), registry.alias(CHAMPION)
    if canary is None or champion is None or canary.version == champion.version:
        return ""
    begun, crowned = registry.history(CANARY)[-1], registry.history(CHAMPION)[-1]
    if crowned.decided_at > begun.decided_at:
        finding = Finding(False, f"the champion it was compared with is gone: {champion.version} serves now")
    else:
        finding = judge(
            titles(engine, settings, canary.version, champion.version, begun.decided_at), settings.canary_titles
        )
    if finding.passed is None:
        return ""
    winner = canary.version if finding.passed else champion.version
    moved, sequence = (CHAMPION, champion.sequence) if finding.passed else (CANARY, canary.sequence)
    try:
        registry.set_alias(
            moved,
            winner,
            expected_sequence=sequence,
            actor="retrainer",
            reason=f"canary {canary.version}: {finding.words}",
            gate_verdict=begun.gate_verdict if finding.passed else "none: back to the champion",
        )
    except Conflict as conflict:  # somebody moved it by hand: the next round sees what is left to do
        log.info("canary %s: %s", canary.version, conflict)
        return ""
    return f"canary {canary.version} {'is champion' if finding.passed else 'is sent back'}: {finding.words}"


def titles(engine: Engine, settings: Settings, canary: str, champion: str, since: datetime) -> list[Written]:
    """What both versions have written since then, in the order in which it was scored."""
    threshold = settings.review_precision_below or default_threshold(settings.scorer_model)
    query = (
        select(ScoreRow.model_version, ScoreRow.violations, ScoreRow.precision)
        .where(col(ScoreRow.model_version).in_((canary, champion)), col(ScoreRow.scored_at) >= since)
        .order_by(col(ScoreRow.scored_at), col(ScoreRow.title_id))
    )
    with transaction(engine) as session:
        return [
            Written(canary=version == canary, bad=bool(violations) or (precision or 0.0) < threshold)
            for version, violations, precision in session.exec(query)
        ]
