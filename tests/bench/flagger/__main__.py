"""How well bad titles are told from good ones. `make bench-flagger`, with --articles for real headlines.

Without a file: stories of the simulated press with titles whose errors are known, a fifth of them wrong; how many of
the wrong ones are among the fifth that curators can look at. With one: headlines as published against the same made
wrong in one place. What is learned is learned on one half of the articles and measured on the other.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import matplotlib as mpl
import numpy as np
from sklearn.metrics import roc_auc_score

from editorial import rules
from editorial.bertscore import Score, Scorer
from editorial.calibration import Judged, fit, reliability
from editorial.flagger import Calibration, signs
from editorial.scoring import TitleScorer, with_second_opinion
from infra.newsroom.archive import read_archive
from infra.newsroom.stories import write_story
from tests.bench.flagger.corrupt import KINDS, TRUE, Case, cases

mpl.use("Agg")
SEED = 23
BUDGET = 0.2
RESAMPLES = 1000
RIGHT, WRONG = "right", "wrong"
PICTURE = Path("docs/images/calibration.png")
Doubt = Callable[["Seen"], float]


class Seen:
    """A case with what the scorer saw in it."""

    def __init__(self, case: Case, whole: Score, cut: Score) -> None:
        self.case, self.whole, self.cut = case, whole, cut
        self.violations = rules.check(case.title, case.text)
        self.signs = signs(case.title, case.text, whole, self.violations)


WAYS: dict[str, Doubt] = {
    "precision, cut at 512 tokens": lambda seen: -seen.cut.precision,
    "precision in windows": lambda seen: -seen.whole.precision,
    "weakest word in windows": lambda seen: seen.signs["weakest word"],
    "house rules alone": lambda seen: float(any("not_in_article" in one.rule for one in seen.violations)),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.bench.flagger", description=__doc__)
    parser.add_argument("--articles", type=Path, help="JSONL (.gz) of real articles with their headlines")
    parser.add_argument("--limit", type=int, default=600, help="articles")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--second-opinion", default="", help="an entailment model, by name or folder, to measure as well"
    )
    args = parser.parse_args()
    whole = with_second_opinion(Scorer(threads=args.threads), args.second_opinion)
    cut = Scorer(threads=args.threads, windows=1)
    if args.articles:
        corrupted = look(cases(read_archive(args.articles), args.limit, SEED), whole, cut)
        show_auc(*halves(corrupted), whole.hash)
    else:
        show_press(*halves(look(press(args.limit), whole, cut)), whole.hash)


def look(given: Sequence[Case], whole: TitleScorer, cut: TitleScorer) -> list[Seen]:
    """Score all titles of an article together."""
    found: list[Seen] = []
    for number, same in groupby(given, key=lambda case: case.article):
        of_one = list(same)
        titles, texts = [case.title for case in of_one], [case.text for case in of_one]
        scores = zip(of_one, whole.score(titles, texts), cut.score(titles, texts), strict=True)
        found += [Seen(case, in_windows, in_one) for case, in_windows, in_one in scores]
        if number % 50 == 0:
            print(f"{len(found)} of {len(given)} titles", file=sys.stderr, flush=True)
    return found


def halves(seen: Sequence[Seen]) -> tuple[list[Seen], list[Seen]]:
    """By article: no article is in both."""
    order = sorted({one.case.article for one in seen})
    random.Random(SEED).shuffle(order)
    first = set(order[: len(order) // 2])
    return [one for one in seen if one.case.article in first], [one for one in seen if one.case.article not in first]


def learn(seen: Sequence[Seen], scorer: str) -> Calibration:
    """From the first half."""
    calibration = fit([_judged(one) for one in seen], scorer, BUDGET)
    assert calibration is not None
    return calibration


def _judged(seen: Seen) -> Judged:
    return Judged(seen.signs, corrected=seen.case.kind not in (TRUE, RIGHT))


def show_auc(first: Sequence[Seen], second: Sequence[Seen], scorer: str) -> None:
    """A table: per kind of error the AUC of each way, with the 95 % interval of a bootstrap over articles."""
    calibration = learn(first, scorer)
    ways = {**WAYS, "all together, learned": lambda seen: calibration.probability(seen.signs)}
    if first[0].whole.entailed is not None:
        ways["second opinion alone"] = lambda seen: seen.signs["not entailed"]
    counts = {kind: sum(one.case.kind == kind for one in second) for kind in (TRUE, *KINDS)}
    print(f"measured on {counts[TRUE]} headlines as published, and", end=" ")
    print(", ".join(f"{counts[kind]} with {kind}" for kind in KINDS))
    print("\n| AUC | " + " | ".join(KINDS) + " |\n|---|" + "---|" * len(KINDS))
    for name, doubt in ways.items():
        print(f"| {name} | " + " | ".join(auc(second, kind, doubt) for kind in KINDS) + " |")
    flagged = [one for one in second if calibration.probability(one.signs) >= calibration.cutoff]
    print(f"\nat a budget of {BUDGET:.0%} of these titles: ", end="")
    for kind in (TRUE, *KINDS):
        print(f"{sum(one.case.kind == kind for one in flagged)} of {counts[kind]} {kind}", end="; ")
    print("\nweights:", ", ".join(f"{name} {weight:+.1f}" for name, weight in calibration.weights.items()))


def auc(seen: Sequence[Seen], kind: str, doubt: Doubt) -> str:
    """Of one kind of error against the published headlines of the same articles."""
    articles = {one.case.article for one in seen if one.case.kind == kind}
    chosen = [one for one in seen if one.case.kind in (TRUE, kind) and one.case.article in articles]
    wrong, doubts = np.array([one.case.kind == kind for one in chosen]), np.array([doubt(one) for one in chosen])
    numbers, chance = np.array([one.case.article for one in chosen]), np.random.default_rng(SEED)
    places = {number: np.flatnonzero(numbers == number) for number in sorted(articles)}
    drawn = []
    for _ in range(RESAMPLES):
        picked = np.concatenate([places[number] for number in chance.choice(sorted(articles), len(articles))])
        drawn.append(roc_auc_score(wrong[picked], doubts[picked]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{roc_auc_score(wrong, doubts):.3f} [{low:.3f}–{high:.3f}]"


def press(number: int) -> list[Case]:
    """House titles of the simulated press; every fifth article has one with a known error instead."""
    stories, chance = [write_story(SEED, at) for at in range(number)], random.Random(SEED)
    found = []
    for at, story in enumerate(stories):
        if at % 5:
            found.append(Case(RIGHT, story.house_title, story.text, at))
            continue
        other = chance.choice(stories)
        wrong = [other.house_title if other is not story else story.headline]
        wrong += [story.careless_title] if story.flaws else []
        wrong += [story.house_title.replace(name, other.names[0]) for name in story.names[:1] if other.names]
        wrong = [title for title in wrong if title != story.house_title]
        found.append(Case(WRONG, chance.choice(wrong), story.text, at))
    return found


def show_press(first: Sequence[Seen], second: Sequence[Seen], scorer: str) -> None:
    """What a budget of a fifth finds, by precision, by precision and rules, and learned; the calibration curve."""
    calibration = learn(first, scorer)
    budget, wrong = round(BUDGET * len(second)), sum(one.case.kind == WRONG for one in second)
    print(f"{len(second)} titles, {wrong} of them wrong; curators look at {budget}\n")
    ways = {
        "lowest precision (the plain threshold)": WAYS["precision in windows"],
        "weakest word": WAYS["weakest word in windows"],
        "broken rules first, then lowest precision": lambda one: bool(one.violations) - one.whole.precision / 10,
        "learned": lambda one: calibration.probability(one.signs),
    }
    print("| titles that are looked at | wrong ones found | of all wrong ones |\n|---|---|---|")
    for name, doubt in ways.items():
        looked_at = sorted(second, key=doubt, reverse=True)[:budget]
        found = sum(one.case.kind == WRONG for one in looked_at)
        print(f"| {name} | {found} | {found / wrong:.0%} |")
    draw(reliability(calibration, [_judged(one) for one in second], bins=5))


def draw(curve: Sequence[tuple[float, float, float]]) -> None:
    """The calibration curve."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.2, 4.6), layout="constrained")
    axes.plot([0, 1], [0, 1], color="#bbb", linewidth=1, zorder=1)
    means, shares, weights = zip(*curve, strict=True)
    axes.plot(means, shares, color="#0a5c8a", zorder=2)
    axes.scatter(means, shares, s=[20 + weight for weight in weights], color="#0a5c8a", zorder=3)
    for mean, share, weight in curve:
        axes.annotate(f"{weight:.0f}", (mean, share), textcoords="offset points", xytext=(8, -12), color="#555")
    axes.set(xlabel="foretold probability of a correction", ylabel="share that was wrong", xlim=(0, 1), ylim=(0, 1.02))
    axes.set_title("Simulated press: foretold and found (dots: titles)", loc="left", fontsize=10)
    figure.savefig(PICTURE, dpi=110)
    print(f"\nthe calibration curve: {PICTURE}")


if __name__ == "__main__":
    main()
