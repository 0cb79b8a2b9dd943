"""Ties a process to its parent: when the parent dies, however it dies, the kernel sends the child a signal.

Linux only (prctl); elsewhere it does nothing and a parent killed with -9 leaves its children behind. Also a launcher,
run by file name so that it needs no package: `python infra/lifeline.py PARENT SIGNAL LAUNCH_FILE`. The launch file is
JSON with `command`, `environment` and the working `folder`: supervisord's own way with quotes loses some of them.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, signum: signal.Signals) -> None:
    """Ask for `signum` when process `parent`, which must be the direct parent, dies. Survives exec, not fork.

    Trap: what counts is the parent's *thread* that started us; it must live as long as the parent.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked: nobody will ever send the signal
        os.kill(os.getpid(), signum)


def main(arguments: list[str]) -> None:
    parent, signum, launch_file = arguments
    die_with_parent(int(parent), signal.Signals[signum])
    launch = json.loads(Path(launch_file).read_text())
    command: list[str] = launch["command"]
    os.chdir(launch["folder"])
    os.execvpe(command[0], command, {**os.environ, **launch["environment"], "COPYDESK_LIFELINE": str(os.getpid())})


if __name__ == "__main__":
    main(sys.argv[1:])
