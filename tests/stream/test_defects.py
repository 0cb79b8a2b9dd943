"""A defect ends the process at once, whatever kind it is. Faust as it comes acknowledges the message and goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.ending import EX_POISONED, EX_SOFTWARE

PROGRAM = Path(__file__).with_name("defective.py")


@pytest.mark.parametrize(
    ("defect", "status"),
    [("bug", EX_SOFTWARE), ("cancelled", EX_SOFTWARE), ("thrown", EX_SOFTWARE), ("poison", EX_POISONED)],
)
def test_a_defect_ends_the_process_with_its_message_not_committed(defect: str, status: int) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), defect],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=25,
        check=False,
    )
    assert done.returncode == status, done.stderr
    committed = [int(offset) for offset in done.stdout.split()]
    assert all(offset <= 10 for offset in committed), done.stderr
