"""The watchdog's thread at work: a process that has stalled ends, whatever its event loop does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from workers.watchdog import EX_STALLED

PROGRAM = """
import sys, time
from workers import watchdog

watchdog.TICK_S = 0.02
born = time.monotonic()

def vitals():
    now = time.monotonic()
    return watchdog.Vitals(
        now=now, loop_ran=born if sys.argv[1] == "stalled" else now, oldest_try=None, oldest_in_hand=None, done=0,
        committed=0, joined=True, assigned=frozenset({("articles", 0)}),
    )

watchdog.start(vitals, lambda partitions: len(partitions) - 1, lambda: False, watchdog.Limits(try_s=1.0, loop_s=0.2))
time.sleep(1.5)  # the main thread is busy; nothing but another thread can notice
print("alive")
"""


@pytest.mark.parametrize(("state", "status", "said"), [("stalled", EX_STALLED, ""), ("well", 0, "alive")])
def test_a_process_that_has_stalled_ends_and_one_that_is_well_does_not(state: str, status: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, state],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=25,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (status, said), done.stderr
    assert ("stalled: the event loop has not run" in done.stderr) == (state == "stalled")
