"""What supervisord reads and writes, as pure text: its configuration, its log, and where its socket may lie."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from infra import lifeline

LONGEST_SOCKET_PATH = 90
"""A unix socket's path has 104 bytes on some systems, and supervisord adds its process id while it binds."""
STAY_UP_S = 2
"""A process that ends sooner than that has failed to start; the pauses between tries grow by a second each."""
TRIES = 100
LEFT_DOWN = 65
"""A worker that ends with this status wants a person: started again, it would only bury more messages."""
LOG_BYTES, LOG_BACKUPS = 5 * 1024 * 1024, 2


@dataclass(frozen=True)
class Process:
    """One process to keep running. Lower priorities start first and stop last."""

    name: str
    command: Sequence[str]
    priority: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_s: float = 35.0
    """Seconds between SIGTERM and SIGKILL; a stream worker may need 30 to finish what it has begun."""


def socket_path(run: Path) -> Path:
    """Where supervisord listens: in the data folder, unless its path is too long for a unix socket."""
    path = run / "supervisor.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(run)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"copydesk-{os.getuid()}-{digest}" / "s"


def configuration(processes: Sequence[Process], socket: Path) -> str:
    """supervisord's configuration, to be read with `<home>/run` as its working directory.

    All paths in the data folder are relative: supervisord expands "%" in them once or twice, depending on the key, so
    that a folder's name cannot be written safely. Commands and environments are in the launch files.
    """
    user = f"user={psutil.Process().username()}\n" if os.getuid() == 0 else ""  # as root it wants that said aloud
    # the environment holds supervisord's process id, put there by the launcher that became supervisord
    launcher = f"{_quoted(sys.executable)} -I {_quoted(lifeline.__file__)} %(ENV_COPYDESK_LIFELINE)s SIGKILL"
    sections = [
        f"[unix_http_server]\nfile={socket.name if socket.parent.name == 'run' else socket}\nchmod=0700\n",
        "[supervisord]\nlogfile=supervisord.log\nlogfile_maxbytes=0\npidfile=supervisord.pid\n"
        f"nodaemon=true\nsilent=true\n{user}",
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n",
    ]
    sections += [
        f"[program:{process.name}]\ncommand={launcher} {process.name}.json\n"
        f"priority={process.priority}\nautostart=true\nautorestart=unexpected\nexitcodes={LEFT_DOWN}\n"
        f"startsecs={STAY_UP_S}\nstartretries={TRIES}\n"
        f"stopsignal=TERM\nstopwaitsecs={max(1, round(process.stop_s))}\n"
        f"redirect_stderr=true\nstdout_logfile=../logs/{process.name}.log\n"
        f"stdout_logfile_maxbytes={LOG_BYTES}\nstdout_logfile_backups={LOG_BACKUPS}\n"
        for process in processes
    ]
    return "\n".join(sections)


def count_ends(log: str) -> dict[str, int]:
    """How often each process ended by itself, from supervisord's log; a stop on request reads "stopped:" there."""
    counts: dict[str, int] = {}
    for line in log.splitlines():
        _, found, rest = line.partition(" exited: ")
        if found:
            name = rest.split(" ", 1)[0]
            counts[name] = counts.get(name, 0) + 1
    return counts


def last_lines(path: Path, count: int) -> str:
    """The end of a text file, empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""


def _quoted(path: str) -> str:
    return shlex.quote(path).replace("%", "%%")
