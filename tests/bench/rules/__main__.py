"""How good the house rules are. `make bench-rules`, with --articles for real headlines.

Without a file: precision and recall of every rule on made-up titles (`tests/house_titles.yaml`), and where it errs.
With one: the share of published headlines that each rule accuses, and examples to read with one's own eyes.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter, defaultdict
from pathlib import Path

from editorial import rules
from infra.newsroom.archive import read_archive
from tests.house_titles import quality, samples

SEED = 23


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.bench.rules", description=__doc__)
    parser.add_argument("--articles", type=Path, help="JSONL (.gz) of real articles with their headlines")
    parser.add_argument("--examples", type=int, default=10, help="accused headlines to print for each rule")
    parser.add_argument("--rule", default="", help="print examples of this rule only")
    args = parser.parse_args()
    if args.articles:
        show_headlines(args.articles, args.examples, args.rule)
    else:
        show_table()


def show_table() -> None:
    """Precision and recall, and every title on which rules and editor differ."""
    table = samples()
    print(f"{len(table)} titles, {sum(not sample.expected for sample in table)} of them without fault\n")
    print("| rule | broken | found | false alarms | precision | recall |\n|---|---|---|---|---|---|")
    for rule, found in quality(table).items():
        counts = f"{found.right + found.missed} | {found.right} | {found.false_alarms}"
        print(f"| {rule} | {counts} | {found.precision:.2f} | {found.recall:.2f} |")
    print()
    for sample in table:
        broken = sample.broken()
        if broken != sample.expected:
            missed, false = sorted(sample.expected - broken), sorted(broken - sample.expected)
            print(f"{sample.title!r}: missed {missed}, falsely {false}")


def show_headlines(path: Path, most: int, only: str) -> None:
    """What the rules say of headlines that a newspaper printed."""
    lines = read_archive(path)
    random.Random(SEED).shuffle(lines)
    counts, found = Counter[str](), defaultdict[str, list[str]](list)
    accused = 0
    for line in lines:
        violations = rules.check(line.title, line.text)
        counts.update(violation.rule for violation in violations)
        accused += any(violation.rule != "too_long" for violation in violations)
        for violation in violations:
            found[violation.rule].append(f"  {line.title}\n      {violation.reason}")
    print(f"{len(lines)} headlines; {accused / len(lines):.1%} accused by a rule other than that of length\n")
    print("| rule | headlines accused |\n|---|---|")
    for rule in rules.RULES:
        print(f"| {rule} | {counts[rule] / len(lines):.2%} |")
    for rule in rules.RULES:
        if only in ("", rule) and most and found[rule]:
            print(f"\n{rule}\n" + "\n".join(found[rule][:most]))


if __name__ == "__main__":
    main()
