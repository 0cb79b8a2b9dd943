"""Runs a module as `python -m` does, and dies by kill -9 when a given function is called for the n-th time.

   python dying.py MODULE:FUNCTION:N[:end] MODULE [ARGUMENT…]     with `:end` when it returns

No handler, no `finally`, no flush: the process is gone between one line and the next, at a place that a test chose.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
from types import FrameType


class Death:
    """A trace function; it is asked at every call of a Python function."""

    def __init__(self, place: str) -> None:
        self._module, self._function, times, *end = place.split(":")
        self._left = int(times)
        self._event = "return" if end else "call"

    def __call__(self, frame: FrameType, event: str, _: object) -> Death | None:
        if frame.f_code.co_name != self._function or frame.f_globals.get("__name__") != self._module:
            return None
        if event == self._event:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


if __name__ == "__main__":
    place, module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    threading.settrace(Death(place))
    sys.settrace(Death(place))
    runpy.run_module(module, run_name="__main__", alter_sys=True)
