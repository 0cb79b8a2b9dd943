"""`make bench-streams`: Copydesk's stream against four others, on one broker, with the same articles and the same work.

Rounds are interleaved: every competitor once, then all again; each in fresh processes. The figures are medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.bench.streams import report
from tests.bench.streams.arena import FOREIGN_PYTHON, ROOT, Arena
from tests.bench.streams.competitors.table import COPYDESK, LATENCY, PASS_THROUGH, WITH_CALL, Competitor
from tests.bench.streams.figures import Figures
from tests.ground import Broker

CALL_S = 0.02
SAMPLES = 60
"""Readings of the memory over the largest backlog, about."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-streams", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that each competitor runs")
    parser.add_argument("--seconds", type=float, default=4.0, help="measured seconds of each run")
    parser.add_argument("--in-flight", type=int, default=32, help="messages in flight, for everybody")
    parser.add_argument("--rate", type=float, default=200.0, help="articles per second offered for the latencies")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="backlogs for cost and memory; empty: none")
    parser.add_argument("--minutes", type=float, default=30.0, help="work no longer than this on one of the sizes")
    parser.add_argument("--only", default="", help="names of competitors to take, comma-separated (part of the name)")
    parser.add_argument("--write", type=Path, help="put the figures into this Markdown file, between its marks")
    options = parser.parse_args()
    figures = Figures(options.in_flight, options.rounds, options.seconds, options.rate, psutil.getloadavg()[0])
    sizes = [int(size) for size in options.sizes.split(",") if size]
    with tempfile.TemporaryDirectory(prefix="copydesk-bench-") as home:
        broker = Broker(Path(home))
        logs = ROOT / "build/bench-streams"
        logs.mkdir(parents=True, exist_ok=True)
        try:
            say("starting the broker")
            broker.start()
            measure(
                Arena(broker.settings, options.in_flight, logs), figures, sizes, options.only.lower(), options.minutes
            )
        finally:
            broker.stop()
            print(report.markdown(figures))  # what there is, also when a run failed
    if options.write:
        report.write_between_marks(options.write, report.markdown(figures))


def measure(arena: Arena, figures: Figures, sizes: list[int], only: str, minutes: float) -> None:
    def taking_part(all_of_them: Sequence[Competitor]) -> list[Competitor]:
        return [one for one in all_of_them if any(name.strip() in one.name.lower() for name in only.split(","))]

    figures.work_us = report.work_us()
    backlog = arena.topic("articles")
    arena.feed(backlog, int((figures.seconds + 2) * 6000))
    for what, call_s, all_of_them, into in (
        ("with the call", CALL_S, WITH_CALL, figures.with_call),
        ("pass-through", 0.0, PASS_THROUGH, figures.pass_through),
    ):
        for number in range(figures.rounds):
            for competitor in taking_part(all_of_them):
                load = arena.backlog(competitor, backlog, call_s, figures.seconds)
                into.setdefault(competitor.name, []).append(load)
                say(f"{what}, round {number + 1}: {competitor.name} {load}")
    arena.drop(backlog)
    for number in range(figures.rounds):
        for competitor in taking_part(LATENCY):
            rate = min(figures.rate, 0.6 * statistics.median(load.per_s for load in figures.with_call[competitor.name]))
            figures.offered.setdefault(competitor.name, rate)
            taken = arena.latencies(competitor, CALL_S, figures.offered[competitor.name], figures.seconds)
            figures.latency_ms.setdefault(competitor.name, []).append(taken)
            say(
                f"latency, round {number + 1}: {competitor.name} at {rate:.0f}/s: p50 {statistics.median(taken):.0f} ms"
            )
    for size in sizes:
        source = arena.topic("small")
        arena.feed(source, size, small=True)
        for _ in range(figures.rounds if size < 50_000 else 1):
            sample_s = max(0.5, size / 3000 / SAMPLES)
            done, per_s, figures.memory = arena.whole(COPYDESK, source, sample_s, 60 * minutes)
            figures.sizes.setdefault(size, []).append((done, per_s))
            first, last = figures.memory[0][1], figures.memory[-1][1]
            say(f"a backlog of {size}: {done} done, {per_s:.0f}/s, {first:.0f} MB at first, {last:.0f} MB at last")
        arena.drop(source)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    if not FOREIGN_PYTHON.exists():
        sys.exit("copydesk: the competitors' environment is missing: run `make bench-streams`")
    main()
