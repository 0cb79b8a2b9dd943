"""How fast the recipe trains, against TRL's SFTTrainer and transformers' Trainer. `make bench-training`.

The same model, adapter, data, number of steps, learning rate and optimizer for all; each run is a process of its own,
rounds are interleaved and the medians count. Tokens are those of the examples, never padding. The losses of all are
measured in the end by one function on the same articles that nobody trained on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.training.arena import CASES, CONTENDERS, OURS


def main() -> None:
    """Run all, print the table and, with --json, write the figures."""
    parser = argparse.ArgumentParser(prog="tests.bench.training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    figures: list[dict[str, Any]] = []
    for case in args.cases:
        for number in range(args.rounds):
            for name in args.contenders if number % 2 == 0 else reversed(args.contenders):
                figures.append(one_run(case, name, args.threads, number))
                print(say(figures[-1]), file=sys.stderr, flush=True)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))
    for case in args.cases:
        print(f"\n{CASES[case].description}\n")
        show([one for one in figures if one["case"] == case], args.contenders)


def one_run(case: str, name: str, threads: int, seed: int) -> dict[str, Any]:
    """One contender on one case, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.bench.training.arena", case, name, folder, str(threads), str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} on {case} failed:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def say(one: dict[str, Any]) -> str:
    """A line while it goes on."""
    return f"{one['case']}, {one['name']}: {one['tokens'] / one['seconds']:,.0f} tokens/s, loss {one['loss']:.3f}"


def show(figures: list[dict[str, Any]], names: list[str]) -> None:
    """The table of one case."""

    def median(name: str, what: str) -> float:
        return statistics.median(float(one[what]) for one in figures if one["name"] == name)

    def speed(name: str) -> float:
        return statistics.median(float(one["tokens"] / one["seconds"]) for one in figures if one["name"] == name)

    print("| | tokens/s | ours is so many times as fast | loss on unseen articles | padding | peak memory, MB |")
    print("|---|---|---|---|---|---|")
    for name in names:
        times = f"{speed(OURS) / speed(name):.2f}" if OURS in names else ""
        padding = median(name, "padding")
        print(
            f"| {CONTENDERS[name]} | {speed(name):,.0f} | {times} | {median(name, 'loss'):.3f} "
            f"| {padding:.0%} | {median(name, 'memory_mb'):,.0f} |"
        )


if __name__ == "__main__":
    main()
