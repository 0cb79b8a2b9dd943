"""How a worker process ends, seen from outside: its exit status is all that a supervisor hears."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys
from workers.ending import background, die, leave, refuse, unless

async def fail():
    raise RuntimeError("broken")

async def forever():
    await asyncio.Event().wait()

async def case(name):
    stop = asyncio.Event()
    try:
        if name == "die":
            die("a defect")
        elif name == "refuse":
            refuse("too many dead letters")
        elif name == "leave":
            leave("no time")
        elif name == "cannot start":
            await unless(stop, fail())
        elif name == "stopped early":
            asyncio.get_running_loop().call_soon(stop.set)
            await unless(stop, asyncio.wait_for(forever(), 2))
        elif name == "started":
            await unless(stop, asyncio.sleep(0))
            print("on it goes", flush=True)
        elif name == "background":
            task = background(fail())
            await asyncio.wait_for(forever(), 2)
        elif name == "background cancelled":
            task = background(forever())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            print("on it goes", flush=True)
    finally:
        print("goodbye", flush=True)

asyncio.run(case(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("case", "status", "said"),
    [
        ("die", 70, ""),
        ("refuse", 65, ""),
        ("leave", 0, ""),
        ("cannot start", 70, ""),
        ("stopped early", 0, ""),
        ("started", 0, "on it goes goodbye"),
        ("background", 70, ""),
        ("background cancelled", 0, "on it goes goodbye"),
    ],
)
def test_each_end_has_its_status_and_a_hasty_one_says_no_goodbyes(case: str, status: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, case],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, " ".join(done.stdout.split())) == (status, said), done.stderr
