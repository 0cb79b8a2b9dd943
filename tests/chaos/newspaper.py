"""A whole newspaper on this machine: broker, PostgreSQL, model server, and each stream worker several times.

The workers are the real ones, `copydesk worker NAME`. Scraper, desk and retrainer are left out: articles are fed to the
topic directly, and nobody decides anything. The model server is simulated (`model_server`).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
from prometheus_client.parser import text_string_to_metric_families
from psycopg.sql import SQL, Identifier
from pydantic import SecretStr

from infra.kafka import create_topics, make_producer, send_acked
from infra.settings import LOOPBACK, Settings
from schemas.envelope import encode
from schemas.events import Adapter
from schemas.topics import ADAPTERS
from tests.chaos.processes import Program, Supervisor
from tests.chaos.small_disk import SmallDisk
from tests.ground import environment_for, free_ports
from tests.samples import NOW, make_adapter

if TYPE_CHECKING:
    from pgserver.postgres_server import PostgresServer

WORKERS = ("generator", "scorer", "archivist")
LEAST, USUAL, MOST = 1, 2, 3
"""Processes of each worker."""
MODEL_TIMEOUT_S = 3.0
START_S = 300.0
"""The broker's, on a machine that is busy with other things; the first start ever fetches Kafka, too."""


class Newspaper:
    """Use it in a `with` block; whatever happens, nothing of it is left afterwards."""

    def __init__(self, folder: Path, seed: int, disk_mb: int) -> None:
        self.folder = folder
        self.seed = seed
        self.disk_mb = disk_mb
        self.supervisor = Supervisor()
        self.adapter: Adapter = make_adapter()
        self._numbers = dict.fromkeys(WORKERS, 0)
        self._metrics_ports: dict[str, int] = {}
        self._left = ExitStack()
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True)

    def __enter__(self) -> Newspaper:
        try:
            self._open()
        except BaseException:
            self._left.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._left.close()

    def _open(self) -> None:
        port, model_port = free_ports(2), free_ports()
        self._left.callback(self.supervisor.kill)
        self.disk = SmallDisk(self.folder / "broker" / "kafka", self.disk_mb)
        self._left.callback(self.disk.close)
        self.database = Database()
        self._left.callback(self.database.close)
        self.settings = Settings(
            home=self.folder / "home",
            kafka_port=port,
            database_url=SecretStr(self.database.url),
            model_server_url=f"http://{LOOPBACK}:{model_port}/v1",
            model_timeout_s=MODEL_TIMEOUT_S,
            torch_threads=1,
            metrics_port=0,
        )
        broker = Settings(home=self.folder / "broker", kafka_port=port, kafka_heap_mb=256)
        self.broker = self._program(
            "broker", [*self.disk.prefix, sys.executable, "-m", "copydesk", "broker"], environment_for(broker)
        )
        self.model_server = self._program(
            "model-server",
            [sys.executable, "-m", "tests.chaos.model_server", str(model_port), f"{self.seed}.{{start}}"],
            environment_for(self.settings),
        )
        create_topics(self.settings, START_S)
        producer = make_producer(self.settings, "chaos")
        send_acked(producer, [(ADAPTERS, encode(self.adapter, source="chaos", time=NOW))])
        producer.close()
        for name in WORKERS:
            for _ in range(USUAL):
                self.add_worker(name)

    def _program(self, name: str, command: list[str], environment: dict[str, str]) -> Program:
        return self.supervisor.add(Program(name, command, environment, self.logs))

    def add_worker(self, name: str) -> Program:
        """One more process of the worker."""
        self._numbers[name] += 1
        full_name, port = f"{name}-{self._numbers[name]}", free_ports()
        self._metrics_ports[full_name] = port
        command = [sys.executable, "-m", "copydesk", "worker", name]
        settings = self.settings.model_copy(update={"metrics_port": port})
        return self._program(full_name, command, environment_for(settings))

    def workers(self, name: str = "") -> list[Program]:
        """The workers' programs, of one name or all, in the order in which they came."""
        return [
            program
            for program in self.supervisor.programs
            if program not in (self.broker, self.model_server) and program.name.startswith(name)
        ]

    def in_hand(self, name: str) -> int:
        """How many messages all processes of the worker hold, by their own word; none for one that does not answer."""
        return sum(_in_flight(self._metrics_ports[program.name]) for program in self.workers(name))

    @property
    def whole(self) -> bool:
        """Does everything run that should, so that whatever is struck next can be struck?"""
        return all(program.running for program in self.supervisor.programs)

    def stop_services(self) -> None:
        self.supervisor.stop([self.broker, self.model_server])

    def still_running(self) -> list[str]:
        """What runs on this machine and has to do with us."""
        found, ours = [], (str(self.folder), str(self.database.folder))
        for process in psutil.process_iter():
            try:
                told = [*process.cmdline(), *process.environ().values()]
            except psutil.Error:
                continue
            if process.pid != psutil.Process().pid and any(folder in word for folder in ours for word in told):
                found.append(f"{process.pid} {' '.join(process.cmdline())[:100]}")
        return found


def _in_flight(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=1) as answer:
            text = answer.read().decode()
    except OSError:
        return 0
    for family in text_string_to_metric_families(text):
        if family.name == "copydesk_in_flight_events":
            return int(family.samples[0].value)
    return 0


class Database:
    """A real PostgreSQL that can be pulled away."""

    def __init__(self) -> None:
        # beside pytest's folders: the server is another user, and each new pytest shuts those against others
        self.folder = Path(tempfile.mkdtemp(prefix="copydesk-chaos-"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a container does not have
            from pgserver.postgres_server import get_server

            self._server: PostgresServer = get_server(self.folder / "postgres")
        self._server.psql("CREATE DATABASE copydesk;")
        address: str = self._server.get_uri(database="copydesk")
        self.url = address.replace("postgresql://", "postgresql+psycopg://", 1)

    def crash(self) -> None:
        """As when the power fails: no goodbye to anybody, and the log is read again at the start."""
        from pgserver import pg_ctl  # type: ignore[attr-defined]  # made when it is imported

        pg_ctl(["-m", "immediate", "-w", "stop"], pgdata=self._server.pgdata, user=self._server.system_user)

    def start(self) -> None:
        """Harmless if it runs."""
        self._server.ensure_postgres_running()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Readers go on and every writer waits, as while somebody alters the tables."""
        with psycopg.connect(self.url.replace("+psycopg", "", 1)) as holder:
            tables = holder.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            holder.commit()
            everything = SQL(", ").join(Identifier(table) for (table,) in tables)
            while True:
                try:
                    holder.execute(SQL("LOCK TABLE {} IN SHARE MODE").format(everything))
                    break
                except psycopg.errors.DeadlockDetected:  # a writer has some of the tables and waits for others
                    holder.rollback()
            yield

    def close(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self.folder)
