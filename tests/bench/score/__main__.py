"""How fast titles are scored against articles, beside the package bert-score on the same pairs. `make bench-score`.

Every contender is a process of its own, rounds are interleaved and the medians count. `cut` reads 512 tokens of an
article, as the package does: the same work, and the figures are compared; `windows` reads all of it. Seconds are
seconds of CPU: with one thread they are those of a clock on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.newsroom.archive import read_archive
from infra.newsroom.stories import write_story
from tests.bench.score.arena import CONTENDERS, PACKAGE, PACKAGE_LOADED

SEED = 7
GROWTH = (500, 1_000, 2_000, 4_000, 8_000)
"""Tokens of an article."""


def main() -> None:
    """Run all, print the tables and, with --json, write the figures."""
    parser = argparse.ArgumentParser(prog="tests.bench.score", description=__doc__)
    parser.add_argument("--articles", type=Path, help="JSONL (.gz) with title and text; without it the simulated press")
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    pairs = read_pairs(args.articles, args.limit)
    runs: list[dict[str, Any]] = []
    for number in range(args.rounds):
        for name in args.contenders if number % 2 == 0 else reversed(args.contenders):
            runs.append(one_run(name, pairs, args.threads))
            print(f"{name}: {runs[-1]['seconds']:.1f} s of CPU", file=sys.stderr, flush=True)
    growth = one_run("growth", [("A title about streets", "word")], args.threads)
    if args.json:
        args.json.write_text(json.dumps({"runs": runs, "growth": growth}, indent=1))
    print(f"\n{len(pairs)} titles over articles, {args.threads} thread(s), medians of {args.rounds} rounds\n")
    show(runs, args.contenders, len(pairs))
    print("\n| tokens of the article | " + " | ".join(f"{length:,}" for length in GROWTH) + " |")
    print("|---|" + "---|" * len(GROWTH))
    print("| ms per 1,000 tokens | " + " | ".join(f"{growth['ms'][str(length)]:.0f}" for length in GROWTH) + " |")


def read_pairs(articles: Path | None, limit: int) -> list[tuple[str, str]]:
    """Titles and texts of a file of articles, or of stories of the simulated press."""
    if articles is None:
        stories = (write_story(SEED, number) for number in range(limit))
        return [(story.house_title, story.text) for story in stories]
    return [(line.title, line.text) for line in read_archive(articles, limit)]


def one_run(name: str, pairs: Sequence[tuple[str, str]], threads: int) -> dict[str, Any]:
    """One contender in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.score.arena", name, str(threads)]
    done = subprocess.run(command, input=json.dumps(pairs), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def show(runs: Sequence[dict[str, Any]], names: Sequence[str], pairs: int) -> None:
    """The table: pairs a second, ratios against the package, the largest difference of a precision, peak memory."""

    def seconds(name: str) -> float:
        return statistics.median(float(one["seconds"]) for one in runs if one["name"] == name)

    def any_run(name: str) -> dict[str, Any]:
        return next(one for one in runs if one["name"] == name)

    def ratio(name: str, other: str) -> str:
        return f"{seconds(other) / seconds(name):.2f}" if other in names else "–"

    print("| | pairs per CPU second | times the call | times it loaded | largest difference | peak memory, MB |")
    print("|---|---|---|---|---|---|")
    for name in names:
        one, against = any_run(name), any_run(PACKAGE) if PACKAGE in names else None
        differences = zip(one["precision"], against["precision"], strict=True) if against else ()
        largest = max((abs(ours - theirs) for ours, theirs in differences), default=0.0)
        print(
            f"| {CONTENDERS[name]} | {pairs / seconds(name):.1f} | {ratio(name, PACKAGE)} "
            f"| {ratio(name, PACKAGE_LOADED)} | {largest:.1e} | {one['memory_mb']:,.0f} |"
        )


if __name__ == "__main__":
    main()
