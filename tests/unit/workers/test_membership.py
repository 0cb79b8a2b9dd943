"""Who a worker process is to its group must outlive the process: then a restart moves no partitions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.membership import claim_slot, instance_id

CLAIM = """
import sys
from pathlib import Path
from workers.membership import claim_slot, instance_id
slot = claim_slot(Path(sys.argv[1]), "generator")
print(instance_id("generator", Path(sys.argv[1]), slot.number), flush=True)
if sys.argv[2:]: sys.stdin.read()
"""


def identity(home: Path) -> str:
    """What a process of its own calls itself; it has ended by now."""
    command = [sys.executable, "-c", CLAIM, str(home)]
    return subprocess.run(command, env=_env(), capture_output=True, text=True, check=True).stdout


def _env() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def test_a_process_that_starts_again_is_the_same_member(tmp_path: Path) -> None:
    assert identity(tmp_path) == identity(tmp_path)


def test_a_process_that_was_killed_leaves_its_place_to_the_next(tmp_path: Path) -> None:
    before = identity(tmp_path)
    command = [sys.executable, "-c", CLAIM, str(tmp_path), "and stay"]
    with subprocess.Popen(command, env=_env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as staying:
        assert staying.stdout is not None
        assert staying.stdout.readline() == before
        assert identity(tmp_path) != before
        staying.kill()
    assert identity(tmp_path) == before


def test_two_at_once_are_two_members_and_the_lowest_free_place_is_taken(tmp_path: Path) -> None:
    first, second = claim_slot(tmp_path, "scorer"), claim_slot(tmp_path, "scorer")
    assert (first.number, second.number) == (0, 1)
    first.file.close()
    third = claim_slot(tmp_path, "scorer")
    assert third.number == 0
    second.file.close()
    third.file.close()


def test_workers_of_another_name_or_folder_are_others(tmp_path: Path) -> None:
    names = {instance_id(name, tmp_path / folder, 0) for name in ("scorer", "generator") for folder in ("a", "b")}
    assert len(names) == 4


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="run"):
        claim_slot(tmp_path, "scorer")
