"""How often the gate is wrong by chance: many draws of held-out stories for models whose true error rates are known.

    python -m tests.gate_chance          prints the table in docs/retrain.md

The demo's rates were measured on 240 stories: the first champion, and ten trainings on random subsets of 36
corrections. Errors of style come from the story, so two models of one kind share most of them; wrong names are nearly
independent (2 of 10 were shared).
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass

from editorial.metrics import Judged
from schemas.events import Violation
from training.gate import judge

Rates = dict[str, float]
"""For each house rule the share of titles that break it."""

NAMES = {"name_not_in_article": 0.042}
CARELESS: Rates = NAMES | {
    "too_long": 0.17,
    "acronym": 0.16,
    "quotation_marks": 0.13,
    "compilation": 0.10,
    "dataset": 0.08,
}
TRAINED: Rates = NAMES | {"quotation_marks": 0.008, "too_long": 0.004}


@dataclass(frozen=True)
class Case:
    """Two models by their true rates, and what share of 60 stories' draws may or must be refused.

    `shared` is the share of stories in which chance treats both models alike.
    """

    name: str
    champion: Rates
    challenger: Rates
    shared: float = 0.0
    most_refused: float = 1.0
    least_refused: float = 0.0


def _names(share: float) -> Rates:
    return TRAINED | {"name_not_in_article": share}


CASES = (
    Case("a good challenger after the careless champion, as measured", CARELESS, TRAINED, most_refused=0.01),
    Case("two trained models, equally good, half of their errors shared", TRAINED, TRAINED, 0.5, most_refused=0.01),
    Case("the same, no error shared", TRAINED, TRAINED, most_refused=0.03),
    Case("names wrong in 10 points more", CARELESS, _names(0.142), least_refused=0.5),
    Case("names wrong in 15 points more", CARELESS, _names(0.192), least_refused=0.8),
    Case("names wrong in 20 points more", CARELESS, _names(0.242), least_refused=0.9),
    Case(
        "a ruined tag: quotation marks in 43 % instead of 13 %",
        CARELESS,
        TRAINED | {"quotation_marks": 0.43},
        least_refused=0.95,
    ),
    Case("a ruined tag: 20 % too long instead of none", TRAINED, TRAINED | {"too_long": 0.204}, least_refused=0.95),
    Case("a ruined tag: 30 % too long instead of none", TRAINED, TRAINED | {"too_long": 0.304}, least_refused=0.99),
    Case(
        "a little of four errors: 4 % more of each",
        TRAINED,
        TRAINED | {"quotation_marks": 0.048, "too_long": 0.044, "acronym": 0.04, "dataset": 0.04},
    ),
    Case("no title at all in 10 %", CARELESS, TRAINED | {"empty": 0.1}, least_refused=0.8),
)


def refused(case: Case, *, stories: int, trials: int, seed: int = 0) -> float:
    """Share of the draws in which the gate refuses the challenger."""
    chance = random.Random(seed)
    articles = ["An article."] * stories
    count = 0
    for _ in range(trials):
        champion, challenger = _draw(chance, case, stories)
        count += not judge(champion, challenger, articles).passed
    return count / trials


def _draw(chance: random.Random, case: Case, stories: int) -> tuple[list[Judged], list[Judged]]:
    champion, challenger = [], []
    for number in range(stories):
        luck = {rule: chance.random() for rule in sorted(case.champion.keys() | case.challenger.keys())}
        alike = chance.random() < case.shared
        other = luck if alike else {rule: chance.random() for rule in luck}
        champion.append(_judged(f"The old title of story {number}", case.champion, luck))
        challenger.append(_judged(f"The new title of story {number}", case.challenger, other))
    return champion, challenger


def _judged(title: str, rates: Rates, luck: Rates) -> Judged:
    broken = [rule for rule, rate in sorted(rates.items()) if luck[rule] < rate]
    empty = "empty" in broken  # then nothing else can be wrong with it
    violations = tuple(Violation(rule=rule, reason="") for rule in (["empty"] if empty else broken))
    return Judged("" if empty else title, 0.6, violations)


def main(trials: int) -> None:
    """Print the table."""
    sizes = (30, 60, 120, 240)
    print(f"| refused of {trials} draws of so many stories | {' | '.join(map(str, sizes))} |")
    print("|---" * (1 + len(sizes)) + "|")
    for case in CASES:
        shares = [f"{refused(case, stories=n, trials=trials):.1%}" for n in sizes]
        print(f"| {case.name} | {' | '.join(shares)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
