"""Train now or not: a pure decision, with every condition and its numbers in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

MAX_INTERRUPTIONS = 3
"""So often in a row an interrupted training starts again at once; then it waits like any other."""


@dataclass(frozen=True)
class Fresh:
    """Corrected titles that no finished training has seen: how many, from how many stories and curators.

    `tags` counts them by their combination of error tags; `oldest` is when the first of them was made.
    """

    corrections: int
    stories: int
    curators: int
    tags: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    oldest: datetime | None = None


@dataclass(frozen=True)
class Schedule:
    """The cron expression, the last time that it named, and the next."""

    expression: str
    last: datetime
    next: datetime


@dataclass(frozen=True)
class Wanted:
    """What must come together for a training, as the settings have it."""

    enabled: bool
    when: str
    corrections: int
    stories: int
    curators: int
    tag_share: float
    cooldown_s: float


@dataclass(frozen=True)
class Facts:
    """What the decision needs to know.

    `last_started`: start of the last training that was not interrupted. `last_finished_s`: seconds since the last one
    ended; both None if there was none. `interruptions`: runs in a row, up to now, that were stopped or killed.
    """

    wanted: Wanted
    fresh: Fresh
    running: str | None = None
    schedule: Schedule | None = None
    last_started: datetime | None = None
    last_finished_s: float | None = None
    interruptions: int = 0


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
    return Decision(
        (_enabled(facts), _alone(facts), *_due(facts), _stories(facts), _curators(facts), _cooled_down(facts))
    )


def counted(fresh: Fresh, most: int) -> int:
    """How many corrections count if of one error tag at most `most` do; those with no tag all count.

    A correction with several tags counts as long as there is room for any of them.
    """
    room: dict[str, int] = {}
    total = fresh.corrections - sum(fresh.tags.values())  # those whose tags nobody told us
    for tags, number in sorted(fresh.tags.items(), key=lambda one: (len(one[0]), one[0])):
        counts = min(number, max((room.setdefault(tag, most) for tag in tags), default=number))
        for tag in tags:
            room[tag] = max(0, room[tag] - counts)
        total += counts
    return total


def _enabled(facts: Facts) -> Condition:
    on = facts.wanted.enabled
    return Condition("enabled", on, f"training by itself is {'on' if on else 'off (COPYDESK_RETRAIN_ENABLED)'}")


def _alone(facts: Facts) -> Condition:
    words = f"{facts.running} is being trained" if facts.running else "no other training runs"
    return Condition("alone", facts.running is None, words)


def _due(facts: Facts) -> tuple[Condition, ...]:
    match facts.wanted.when:
        case "count":
            return (_enough(facts),)
        case "schedule":
            return (_scheduled(facts),)
        case "both":
            return _enough(facts), _scheduled(facts)
    one, other = _enough(facts), _scheduled(facts)
    met = [condition.words for condition in (one, other) if condition.met]
    words = " and ".join(met) or f"neither: {one.words}; nor: {other.words}"
    return (Condition("enough corrections or scheduled", bool(met), words),)


def _enough(facts: Facts) -> Condition:
    need, made = facts.wanted.corrections, facts.fresh.corrections
    most = max(1, int(need * facts.wanted.tag_share))
    have = counted(facts.fresh, most) if facts.wanted.tag_share < 1 else made
    words = f"{have} of {need} corrections since the last training"
    if have < made:
        words += f" ({made} were made, but of one error tag only {most} count)"
    return Condition("enough corrections", have >= need, words if have >= need else f"{words}, {need - have} to go")


def _scheduled(facts: Facts) -> Condition:
    schedule, oldest = facts.schedule, facts.fresh.oldest
    assert schedule is not None, "the settings see to that"
    if oldest is None:
        return Condition("scheduled", False, f"the schedule {schedule.expression!r} finds no new correction")
    since = max(oldest, facts.last_started or oldest)
    if since < schedule.last:
        return Condition("scheduled", True, f"scheduled for {schedule.last:%Y-%m-%d %H:%M} UTC")
    return Condition("scheduled", False, f"scheduled for {schedule.next:%Y-%m-%d %H:%M} UTC")


def _stories(facts: Facts) -> Condition:
    have, need = facts.fresh.stories, facts.wanted.stories
    return Condition("enough stories", need == 1 or have >= need, f"they are about {have} stories, {need} needed")


def _curators(facts: Facts) -> Condition:
    have, need = facts.fresh.curators, facts.wanted.curators
    return Condition("enough curators", need == 1 or have >= need, f"they are by {have} curators, {need} needed")


def _cooled_down(facts: Facts) -> Condition:
    since, cooldown = facts.last_finished_s, facts.wanted.cooldown_s
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
