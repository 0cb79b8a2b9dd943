"""A small disk that can be filled: a tmpfs in a mount namespace of its own, so that it is gone with its keeper.

Works for root, and for everybody else where the system allows user namespaces. Needs Linux and util-linux.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.ground import wait_until


class SmallDisk:
    """What a process started with `prefix` finds at `folder`. Fails where the system cannot make it: nothing skips."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        assert sys.platform == "linux", "a disk that can be filled needs Linux: run this in a container"
        root = os.geteuid() == 0
        user = [] if root else ["--user", "--map-root-user"]
        self._keeper = subprocess.Popen(["unshare", "--mount", *user, "cat"], stdin=subprocess.PIPE)
        self.prefix = ["nsenter", f"--target={self._keeper.pid}", "--mount"]
        if not root:
            self.prefix += ["--user", "--preserve-credentials"]
        try:
            wait_until(self._has_own_mounts, 10)
            self._run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))
        except BaseException:
            self.close()
            raise
        self._inside = Path(f"/proc/{self._keeper.pid}/root") / folder.resolve().relative_to("/")
        self._ballast = self._inside / "ballast"

    def _has_own_mounts(self) -> bool:
        with suppress(OSError):
            ours, theirs = (Path(f"/proc/{pid}/ns/mnt").readlink() for pid in ("self", self._keeper.pid))
            return ours != theirs
        assert self._keeper.poll() is None, "no mount namespace is to be had: run as root or allow user namespaces"
        return False

    def _run(self, *command: str) -> None:
        subprocess.run([*self.prefix, *command], check=True)

    @property
    def free_bytes(self) -> int:
        status = os.statvfs(self._inside)
        return status.f_bavail * status.f_frsize

    def fill(self) -> None:
        """Take every byte that is left: from now on each write ends with ENOSPC."""
        piece = bytes(1 << 20)
        with self._ballast.open("ab", buffering=0) as ballast, suppress(OSError):
            while ballast.write(piece):
                pass
        assert self.free_bytes == 0, f"{self.free_bytes} bytes are still free"

    def free(self) -> None:
        """Give the space back; harmless if none was taken."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Forget the disk and all that is on it."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(10)
