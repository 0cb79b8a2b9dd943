"""Train now or not: a pure decision, with every condition and its numbers in words."""

from __future__ import annotations

from dataclasses import dataclass

MAX_INTERRUPTIONS = 3
"""So often in a row an interrupted training starts again at once; then it waits like any other."""


@dataclass(frozen=True)
class Facts:
    """What the decision needs to know.

    `corrected_since`: corrected titles that no finished training has seen. `last_finished_s`: seconds since the last
    training ended, None if there was none. `interruptions`: runs in a row, up to now, that were stopped or killed.
    """

    enabled: bool
    running: str | None
    corrected_since: int
    needed: int
    last_finished_s: float | None
    cooldown_s: float
    interruptions: int


@dataclass(frozen=True)
class Condition:
    """One condition; `words` say how it stands, met or not."""

    name: str
    met: bool
    words: str


@dataclass(frozen=True)
class Decision:
    """Train only if every condition is met."""

    conditions: tuple[Condition, ...]

    @property
    def train(self) -> bool:
        """Whether to train now."""
        return all(condition.met for condition in self.conditions)

    @property
    def explanation(self) -> str:
        """Why (not), in one sentence."""
        if self.train:
            return "training starts: " + "; ".join(condition.words for condition in self.conditions)
        return "no training now: " + "; ".join(one.words for one in self.conditions if not one.met)


def decide(facts: Facts) -> Decision:
    """Whether a training should start."""
    return Decision((_enabled(facts), _alone(facts), _enough(facts), _cooled_down(facts)))


def _enabled(facts: Facts) -> Condition:
    words = "training by itself is on" if facts.enabled else "training by itself is off (COPYDESK_RETRAIN_ENABLED)"
    return Condition("enabled", facts.enabled, words)


def _alone(facts: Facts) -> Condition:
    words = f"{facts.running} is being trained" if facts.running else "no other training runs"
    return Condition("alone", facts.running is None, words)


def _enough(facts: Facts) -> Condition:
    have, need = facts.corrected_since, facts.needed
    words = f"{have} of {need} corrections since the last training"
    return Condition("enough corrections", have >= need, words if have >= need else f"{words}, {need - have} to go")


def _cooled_down(facts: Facts) -> Condition:
    since, cooldown = facts.last_finished_s, facts.cooldown_s
    if since is None:
        return Condition("cooldown", True, "there was no training before")
    if 0 < facts.interruptions <= MAX_INTERRUPTIONS:
        return Condition("cooldown", True, "the last training was interrupted and starts again")
    if since >= cooldown:
        return Condition("cooldown", True, f"the last training ended {since:.0f} s ago")
    words = (
        f"the last training ended {since:.0f} s ago, the cooldown is {cooldown:.0f} s: {cooldown - since:.0f} s to go"
    )
    return Condition("cooldown", False, words)
