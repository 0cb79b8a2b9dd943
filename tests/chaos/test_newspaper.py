"""The whole newspaper under seeded faults: everything that came in came out, once, and nothing is left behind.

    make chaos SEED=7 EVENTS=10000      the long form; the same seed draws the same articles, faults and victims
    make chaos SOAK=30                  keeps feeding and striking for half an hour

Inside `make test` it is short: each kind of fault once, and each worker killed with its hands full.
"""

from __future__ import annotations

import logging
import os
import random
import time
from pathlib import Path

import pytest

from tests.chaos.articles import articles
from tests.chaos.exits import explain
from tests.chaos.faults import FULL, SHARES, Faults
from tests.chaos.feeder import Feeder, positions
from tests.chaos.newspaper import WORKERS, Newspaper
from tests.chaos.outcome import gather, problems
from tests.chaos.report import show

SEED = int(os.environ.get("CHAOS_SEED", "1"))
EVENTS = int(os.environ.get("CHAOS_EVENTS", "200"))
SOAK_S = 60 * float(os.environ.get("CHAOS_SOAK") or 0)
EVENTS_PER_FAULT = 200
BACKLOG, SHORT_BACKLOG = 400, 60
"""Articles and titles that wait; more would only wait longer."""
READABLE = 0.95
"""At least this share of the articles becomes titles."""
LONG = bool(SOAK_S) or EVENTS >= 1000
LIMIT = EVENTS if LONG and not SOAK_S else None
"""A soak and the short form feed for as long as they strike."""
SOAK_PAUSE_S = (4.0, 20.0)
PATIENCE_S = 300.0
"""Longest time without any progress."""
BYTES_PER_EVENT = 24_000
MOST_EVENTS = int(50 * SOAK_S) or EVENTS
LONGEST_S = SOAK_S + 600 + EVENTS
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(LONGEST_S)]


def test_everything_that_comes_in_comes_out_whatever_happens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)  # Kafka's clients complain at length about what is done to them here
    print(f"\nchaos: seed {SEED}, {f'{SOAK_S / 60:g} minutes' if SOAK_S else f'{EVENTS} articles'}", flush=True)
    with Newspaper(tmp_path, SEED, disk_mb=100 + MOST_EVENTS * BYTES_PER_EVENT // 1_000_000) as paper:
        feeder = Feeder(paper.settings, articles(SEED), LIMIT, BACKLOG if LONG else SHORT_BACKLOG)
        faults = Faults(paper, SEED, 15 if LONG else 4)
        try:
            feeder.start()
            began = time.monotonic()
            endure(paper, feeder, faults)
            seconds = time.monotonic() - began
            for name in WORKERS:  # with the flow: what the last one sent is read, too
                paper.supervisor.stop(paper.workers(name))
                until_settled(paper, feeder, faults)
        finally:
            feeder.end()
        found = gather(paper.settings, feeder.sent, paper.adapter, positions(paper.settings))
        paper.stop_services()
    found.still_running = paper.still_running()
    exits = [(end, explain(end, faults.struck)) for end in paper.supervisor.exits]
    found.unexplained = [
        f"{end.name}, status {end.status}, {end.log}:\n{end.last_words}" for end, why in exits if not why
    ]
    show(SEED, seconds, faults.struck, exits, found)
    if broken := problems(found):
        pytest.fail("\n".join(broken), pytrace=False)
    assert {each.fault for each in faults.struck} == set(SHARES)
    assert min(faults.in_hand.values()) >= FULL, f"killed while there was little to lose: {faults.in_hand}"


def endure(paper: Newspaper, feeder: Feeder, faults: Faults) -> None:
    """Strike while articles flow, spread over the time of a soak, else over the articles; then wait for the last."""
    began = time.monotonic()
    pauses = random.Random(f"pauses {SEED}")
    count = max(faults.kinds, EVENTS // EVENTS_PER_FAULT)
    strike_at = began + pauses.uniform(*SOAK_PAUSE_S)
    while (time.monotonic() < began + SOAK_S) if SOAK_S else (len(faults.struck) < count):
        tend(paper, feeder, faults)
        if SOAK_S:
            due = feeder.judged > 0 and time.monotonic() >= strike_at  # a slow machine may still be starting
        else:  # by progress, so that a fast machine meets every fault, too
            due = feeder.judged > READABLE * EVENTS * (len(faults.struck) + 0.5) / (count + 1)
        if due and paper.whole:
            struck = faults.strike()
            strike_at = struck.began + pauses.uniform(*SOAK_PAUSE_S)
            print(
                f"{struck.began - began:6.0f} s {feeder.judged:7,} titles: {struck.fault}, {struck.victim}", flush=True
            )
    if LIMIT is None:
        feeder.enough()
    until_settled(paper, feeder, faults)


def until_settled(paper: Newspaper, feeder: Feeder, faults: Faults) -> None:
    """Until all harm is undone, and all that was sent has been read and committed by every group."""
    since = time.monotonic()
    while faults.lasting or not feeder.settled(since):
        tend(paper, feeder, faults)
        if faults.lasting:
            since = time.monotonic()


def tend(paper: Newspaper, feeder: Feeder, faults: Faults) -> None:
    """A moment in the life of a supervisor."""
    paper.supervisor.tend()
    faults.undo()
    if feeder.error is not None:
        raise feeder.error
    still = time.monotonic() - feeder.moved_at
    assert still < PATIENCE_S or feeder.settled(0), f"nothing has moved for {still:.0f} s: {feeder.positions}"
    time.sleep(0.2)
