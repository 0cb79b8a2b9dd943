"""`copydesk doctor`: what is there, what is missing and what to do about it. Changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psutil
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from copydesk.console import console
from copydesk.ports import ports
from infra import migrations
from infra.broker import Refused, find_java, listener
from infra.database import DatabaseUnusable, make_engine
from infra.folder import room_missing
from infra.jars import JarsUnavailable, probe
from infra.kafka import wait_until_ready
from infra.settings import DEMO_MODEL, LOOPBACK, Settings
from schemas.errors import Transient

OLDEST_PYTHON = (3, 11)
MEMORY_NEEDED_MB = 4096
"""The whole stack on one machine stays below this."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Check:
    """One finding. `remedy` is empty when nothing is to be done; what is not `necessary` may be missing."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    necessary: bool = True


def run(settings: Settings, *, as_json: bool) -> int:
    """Print the findings; the exit status is 0 only if everything necessary is there."""
    checks = run_doctor(settings)
    healthy = all(check.ok for check in checks if check.necessary)
    if as_json:
        print(json.dumps({"ok": healthy, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        console().print(as_table(checks))
    return 0 if healthy else 1


def as_table(checks: list[Check]) -> Table:
    """The findings for a person: what is missing, then what to do about it in the same row."""
    table = Table("", "what", "finding", box=None, pad_edge=False)
    for check in checks:
        mark = "[green]ok[/]" if check.ok else "[red]missing[/]" if check.necessary else "[yellow]optional[/]"
        remedy = f"\n→ {check.remedy}" if check.remedy and not check.ok else ""
        table.add_row(mark, check.name, f"{check.detail}{remedy}")
    return table


def run_doctor(settings: Settings) -> list[Check]:
    """All checks in the order in which things are needed. Each answers for itself; none stops the others."""
    looks: list[Callable[[Settings], Check]] = [_python, _memory, _folder, _disk]
    looks += [_broker] if settings.kafka_bootstrap else [_java, _jars, _broker]
    looks += [check_ports, _database, _base_model]
    looks += [_own_model_server] if settings.model_server_url else [_first_adapter]
    looks += [_gpu, _browser]
    return [look(settings) for look in looks]


def _python(settings: Settings) -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Check("Python", sys.version_info >= OLDEST_PYTHON, version, "Copydesk needs Python 3.11 or newer")


def _memory(settings: Settings) -> Check:
    return memory_check(psutil.virtual_memory().available // 1024**2)


def memory_check(available_mb: int) -> Check:
    """Too little memory is slow rather than impossible."""
    return Check(
        "memory",
        available_mb >= MEMORY_NEEDED_MB,
        f"{available_mb / 1024:.1f} GB free",
        f"the whole stack needs up to {MEMORY_NEEDED_MB // 1024} GB: stop other programs, or use servers elsewhere",
        necessary=False,
    )


def _existing(folder: Path) -> Path:
    folder = folder.resolve()
    return next(path for path in (folder, *folder.parents) if path.exists())


def _folder(settings: Settings) -> Check:
    there = _existing(settings.home)
    usable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    detail = f"{settings.home.resolve()} " + ("is writable" if usable else f"cannot be written ({there})")
    return Check("data folder", usable, detail, "make it writable or name another: COPYDESK_HOME=…")


def _disk(settings: Settings) -> Check:
    free = shutil.disk_usage(_existing(settings.home)).free
    detail = room_missing(free) or f"{free / 1024**3:.1f} GB free in the data folder"
    return Check("disk", not room_missing(free), detail, "make room or name another folder: COPYDESK_HOME=…")


def _java(settings: Settings) -> Check:
    try:
        java = find_java()
        version = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    except (Refused, OSError, subprocess.CalledProcessError) as error:
        return Check(
            "Java for Kafka", False, str(error), "use a broker of your own: COPYDESK_KAFKA_BOOTSTRAP=host:port"
        )
    return Check("Java for Kafka", True, version.splitlines()[0])


def _jars(settings: Settings) -> Check:
    try:
        cached, needed = probe(settings)
    except (JarsUnavailable, OSError) as error:
        detail, _, remedy = str(error).partition("\n")
        return Check("Kafka's jars", False, detail, remedy)
    rest = "" if cached == needed else f"; the other {needed - cached} can be fetched and will be at the first start"
    return Check("Kafka's jars", True, f"{cached} of {needed} in the cache, checksums right{rest}")


def _broker(settings: Settings) -> Check:
    own = bool(settings.kafka_bootstrap)
    try:
        wait_until_ready(settings, 3)
    except Transient as error:
        remedy = (
            "check COPYDESK_KAFKA_BOOTSTRAP" if own else "`copydesk demo`, `copydesk up` and `copydesk broker` start it"
        )
        return Check("Kafka broker", False, str(error), remedy, necessary=own)
    return Check("Kafka broker", True, f"answers at {settings.bootstrap}", necessary=own)


def check_ports(settings: Settings, *, press: bool = False) -> Check:
    ours = _our_processes(settings)
    needed = ports(settings, press=press)
    taken = []
    for name, port in needed.items():
        with socket.socket() as link:
            if link.connect_ex((LOOPBACK, port)) == 0:
                process = listener(port)
                if process is None or process.pid not in ours:
                    taken.append(f"{port} ({name}) by " + (f"process {process.pid}" if process else "somebody"))
    detail = f"taken: {', '.join(taken)}" if taken else f"{', '.join(str(p) for p in needed.values())} are free or ours"
    remedy = "stop what holds them, or choose others: COPYDESK_KAFKA_PORT, COPYDESK_DESK_PORT, COPYDESK_NEWSROOM_PORT,"
    remedy += " COPYDESK_MODEL_SERVER_PORT, COPYDESK_METRICS_FIRST_PORT"
    return Check("ports", not taken, detail, remedy)


def _our_processes(settings: Settings) -> set[int]:
    try:
        daemon = psutil.Process(int((settings.home.resolve() / "run" / "supervisord.pid").read_text()))
        return {daemon.pid, *(child.pid for child in daemon.children(recursive=True))}
    except (OSError, ValueError, psutil.Error):
        return set()


def _database(settings: Settings) -> Check:
    if settings.embedded_database and not (settings.home / "copydesk.db").exists():
        return Check("database", True, "SQLite; made at the first start")
    try:
        engine = make_engine(settings)
        with engine.connect() as connection:
            current = migrations.current(connection)
        engine.dispose()
    except (DatabaseUnusable, SQLAlchemyError, OSError) as error:
        remedy = str(error) if isinstance(error, DatabaseUnusable) else "check COPYDESK_DATABASE_URL and the server"
        return Check("database", False, f"does not answer: {type(error).__name__}", remedy)
    detail = "tables up to date" if current == migrations.head() else "tables are brought up to date at the next start"
    return Check("database", True, f"{engine.dialect.name}, {detail}")


def _base_model(settings: Settings) -> Check:
    folder = Path(settings.base_model)
    if not folder.is_absolute() and not folder.exists():
        return Check("base model", True, f"{settings.base_model}, from the model hub at its first use")
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    if not list(folder.glob("*.safetensors")):
        missing.append("*.safetensors")
    detail = f"{folder.name} lacks {', '.join(missing)}" if missing else f"{folder}"
    return Check("base model", not missing, detail, "fetch the repository again, or set COPYDESK_BASE_MODEL")


def _first_adapter(settings: Settings) -> Check:
    there = (DEMO_MODEL / "v1" / "adapter_model.safetensors").is_file()
    needed = settings.base_model == str(DEMO_MODEL / "base")
    detail = "v1, made for the demo model" if there else "the demo's v1 is not there"
    return Check("first adapter", there, detail, "fetch the repository again", necessary=needed)


def _own_model_server(settings: Settings) -> Check:
    headers = {"Authorization": f"Bearer {settings.model_server_key.get_secret_value()}"}
    try:
        models = httpx.get(f"{settings.model_server}/models", headers=headers, timeout=5).raise_for_status()
    except httpx.HTTPError as error:
        remedy = "check COPYDESK_MODEL_SERVER_URL (it ends in /v1) and COPYDESK_MODEL_SERVER_KEY"
        return Check("model server", False, f"{settings.model_server}: {error}", remedy)
    return Check("model server", True, f"{settings.model_server} answers {models.status_code}")


def _gpu(settings: Settings) -> Check:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Check("GPU", False, "none seen", "not needed for the demo model; larger ones want one", necessary=False)
    query = [tool, "--query-gpu=name", "--format=csv,noheader"]
    result = subprocess.run(query, capture_output=True, text=True)
    names = ", ".join(result.stdout.split("\n")).strip(", ")
    return Check("GPU", result.returncode == 0, names or result.stderr.strip(), "check the driver", necessary=False)


def _browser(settings: Settings) -> Check:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), "")
    downloaded = sorted((Path.home() / ".cache" / "ms-playwright").glob("chromium*"))
    detail = found or (str(downloaded[-1]) if downloaded else "none seen")
    return Check("browser", detail != "none seen", detail, "only `make test` needs one and sees to it", necessary=False)
