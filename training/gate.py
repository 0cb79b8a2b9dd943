"""The gate: may the challenger take the champion's place? A pure decision on titles of the same held-out stories.

Every condition is paired: what counts are the stories in which one model is right and the other wrong. On the main
measure, house rules kept, a loss refuses when a bootstrap over the stories leaves no doubt of it; on names and on each
error tag, where few stories differ, when an exact sign test says that it is no chance. A loss larger than the allowance
refuses whatever they say. How often chance makes the gate wrong is worked out by tests/gate_chance.py; the figures are
in docs/retrain.md.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from editorial.metrics import Judged
from editorial.tags import TAGS
from schemas.training import Condition
from training.statistics import Interval, interval, sign_p

MIN_STORIES = 10
"""Fewer held-out stories decide nothing."""
CONFIDENCE = 0.99
"""Of the main measure's interval: the difference lies in it. If all of it is a loss, the challenger is worse."""
RESAMPLES = 20_000
"""More than for a report: the ends of so wide an interval rest on few of them."""
SIGNIFICANCE = 0.01
"""One-sided. Chance alone loses so many stories less often than this: then it was not chance."""
ALLOWANCE = 0.75
"""Times the square root of the number of stories, for so chance grows (5 of 60 stories, 8 of 120): a larger loss is too
much whatever the test says."""
TAG_ALLOWANCE = {"other": 0.4}
"""Tags with less: `other` is an empty title, a leaked prompt, several lines."""
PRECISION_MARGIN = 0.05
"""House titles say less of the article's own words than careless ones: a small loss of BERTScore is no loss."""
MAX_SPOILT = 0.1
"""Share of titles that may be broken, copied or alike before the model counts as collapsed."""
MIN_FIRST_RULES = 0.5
MIN_FIRST_NAMES = 0.7
"""A first model has no champion to be compared with; at least these shares of its titles must be right."""
SHORTEST = 10
"""Characters; anything shorter is no title."""
LENGTH_FACTOR = 2.0
"""The challenger's median length may be so many times the champion's, or its so-many-th part."""
_COPIED_WORDS = 6
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Verdict:
    """`conditions` begins with those that refuse."""

    passed: bool
    conditions: tuple[Condition, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence per condition."""
        return tuple(condition.words for condition in self.conditions)

    @property
    def summary(self) -> str:
        """The verdict in one sentence: the conditions that decided."""
        if self.passed:
            return f"passed: {self.conditions[0].words}"
        return f"refused: {'; '.join(condition.words for condition in self.conditions if not condition.met)}"


def judge(
    champion: Sequence[Judged] | None,
    challenger: Sequence[Judged],
    articles: Sequence[str],
    others: Sequence[Condition] = (),
) -> Verdict:
    """Decide on titles of the same held-out stories, whose texts are `articles`; `others` were found elsewhere.

    Without a champion only absolute thresholds count.
    """
    if champion is not None and not len(champion) == len(challenger) == len(articles):
        different = f"evaluated on different stories: {len(champion)} and {len(challenger)}"
        return verdict([Condition(name="stories", met=False, words=different)])
    if len(challenger) < MIN_STORIES:
        few = f"only {len(challenger)} held-out stories, {MIN_STORIES} are needed"
        return verdict([Condition(name="stories", met=False, words=few), *others])
    compared = _relative(champion, challenger) if champion is not None else _absolute(challenger)
    return verdict([*compared, *_collapse(champion, challenger, articles), *others])


def verdict(conditions: Sequence[Condition]) -> Verdict:
    """Passed if all are met."""
    ordered = sorted(conditions, key=lambda condition: condition.met)
    return Verdict(all(condition.met for condition in ordered), tuple(ordered))


# --- against the champion -------------------------------------------------------------------------------------------


def _relative(champion: Sequence[Judged], challenger: Sequence[Judged]) -> list[Condition]:
    return [
        _main(champion, challenger),
        _not_lost("names and figures", "names and figures right", champion, challenger, names_right),
        *(
            _not_lost(f"error {tag}", f"free of the error {tag}", champion, challenger, _free_of(tag), tag)
            for tag in TAGS
            if any(tag in one.tags for one in [*champion, *challenger])
        ),
        _precision(champion, challenger),
        _changed(champion, challenger),
    ]


def keeps_rules(one: Judged) -> bool:
    """The main measure: the title breaks no house rule."""
    return not one.violations


def names_right(one: Judged) -> bool:
    """There is a title, and no name or figure in it is foreign to the article."""
    return bool(one.title.strip()) and "not_in_article" not in one.tags


def _free_of(tag: str) -> Callable[[Judged], bool]:
    return lambda one: tag not in one.tags


def _main(champion: Sequence[Judged], challenger: Sequence[Judged]) -> Condition:
    """Better than the champion, or equal as far as these stories can tell."""
    before, after = [keeps_rules(one) for one in champion], [keeps_rules(one) for one in challenger]
    won, lost = _won_and_lost(before, after)
    difference = _difference(won, lost, len(before))
    span = f"{100 * difference.low:+.0f} to {100 * difference.high:+.0f} points with {CONFIDENCE:.0%} confidence"
    shares = f"house rules kept in {_share(before)} before, {_share(after)} after"
    words = f"{shares} ({won} stories won, {lost} lost; difference {span})"
    refused = _beyond_allowance(lost - won, len(before))
    if not refused and difference.high < 0:
        refused = ": a loss however the stories are drawn"
    return Condition(name="house rules", met=not refused, words=words + refused)


@cache
def _difference(won: int, lost: int, stories: int) -> Interval:
    """The paired bootstrap. Only the counts matter, and whoever studies chance asks for the same ones many times."""
    pairs = [1.0] * won + [-1.0] * lost + [0.0] * (stories - won - lost)
    return interval(pairs, confidence=CONFIDENCE, resamples=RESAMPLES)


def _won_and_lost(before: Sequence[bool], after: Sequence[bool]) -> tuple[int, int]:
    pairs = list(zip(before, after, strict=True))
    return pairs.count((False, True)), pairs.count((True, False))


def _beyond_allowance(loss: int, stories: int, tag: str = "") -> str:
    """What to say of a loss that is too large whatever a test says; empty if it is not."""
    allowed = int(TAG_ALLOWANCE.get(tag, ALLOWANCE) * math.sqrt(stories))
    return f": {loss} of {stories} lost, {allowed} are allowed" if loss > allowed else ""


def _not_lost(
    name: str,
    what: str,
    champion: Sequence[Judged],
    challenger: Sequence[Judged],
    right: Callable[[Judged], bool],
    tag: str = "",
) -> Condition:
    """No more stories lost than chance or the allowance explains."""
    before, after = [right(one) for one in champion], [right(one) for one in challenger]
    won, lost = _won_and_lost(before, after)
    words = f"{what} in {_share(before)} before, {_share(after)} after ({won} stories won, {lost} lost)"
    refused = _beyond_allowance(lost - won, len(before), tag)
    if not refused and lost > won and (p := sign_p(lost, won)) < SIGNIFICANCE:
        refused = f": chance loses so many with p = {p:.4f}, less than {SIGNIFICANCE}"
    return Condition(name=name, met=not refused, words=words + refused)


def _precision(champion: Sequence[Judged], challenger: Sequence[Judged]) -> Condition:
    before = statistics.fmean(one.precision for one in champion)
    after = statistics.fmean(one.precision for one in challenger)
    words = f"precision {before:.3f} before, {after:.3f} after (allowed loss: {PRECISION_MARGIN})"
    return Condition(name="precision", met=after >= before - PRECISION_MARGIN, words=words)


def _changed(champion: Sequence[Judged], challenger: Sequence[Judged]) -> Condition:
    other = sum(was.title != now.title for was, now in zip(champion, challenger, strict=True))
    words = f"{other} of {len(challenger)} titles are other than before"
    return Condition(name="change", met=other > 0, words=words + ("" if other else ": nothing would be gained"))


# --- by itself ------------------------------------------------------------------------------------------------------


def _absolute(challenger: Sequence[Judged]) -> list[Condition]:
    return [
        _at_least("house rules", "house rules kept", challenger, keeps_rules, MIN_FIRST_RULES),
        _at_least("names and figures", "names and figures right", challenger, names_right, MIN_FIRST_NAMES),
    ]


def _at_least(
    name: str, what: str, challenger: Sequence[Judged], right: Callable[[Judged], bool], needed: float
) -> Condition:
    held = [right(one) for one in challenger]
    words = f"{what} in {_share(held)} (needed of a first model: {needed:.0%})"
    return Condition(name=name, met=sum(held) >= needed * len(held), words=words)


def _collapse(
    champion: Sequence[Judged] | None, challenger: Sequence[Judged], articles: Sequence[str]
) -> list[Condition]:
    """What no comparison of averages shows: a model that has stopped writing titles."""
    titles = [one.title for one in challenger]
    n = len(titles)
    allowed = MAX_SPOILT * n
    copies = sum(copies_opening(title, article) for title, article in zip(titles, articles, strict=True))
    counts = {
        "empty or broken": (sum("other" in one.tags for one in challenger), "titles are empty or broken"),
        "too short": (sum(len(title.strip()) < SHORTEST for title in titles), f"titles have under {SHORTEST} letters"),
        "copies": (copies, "titles copy how their article begins"),
        "alike": (n - len(set(titles)), "titles repeat the title of another story"),
    }
    conditions = [
        Condition(name=name, met=count <= allowed, words=f"{count} of {n} {what} (allowed: {int(allowed)})")
        for name, (count, what) in counts.items()
    ]
    return conditions if champion is None else [*conditions, _length(champion, challenger)]


def copies_opening(title: str, article: str) -> bool:
    """Whether the title is the first words of the article (at least a handful), the last one perhaps cut off."""
    words = _WORD.findall(title.casefold())
    if len(words) < _COPIED_WORDS:
        return False
    *whole, last = words
    opening = _WORD.findall(article[: 4 * len(title) + 200].casefold())
    return opening[: len(whole)] == whole and len(opening) > len(whole) and opening[len(whole)].startswith(last)


def _length(champion: Sequence[Judged], challenger: Sequence[Judged]) -> Condition:
    before, after = (statistics.median(len(one.title) for one in side) for side in (champion, challenger))
    met = before <= after * LENGTH_FACTOR and after <= before * LENGTH_FACTOR
    words = f"half of the titles have {before:.0f} characters or more before, {after:.0f} after"
    return Condition(name="length", met=met, words=words)


def _share(held: Sequence[bool]) -> str:
    return f"{sum(held) / len(held):.0%}"
