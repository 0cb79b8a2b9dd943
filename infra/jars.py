"""Kafka's jars: a pinned list, a cache that is checked at every use, and the way from Maven Central into it.

jgo knows where Maven Central is and how a repository is laid out. It is not asked to resolve anything: its choice
between versions differs from Maven's, so the list in `kafka_jars.lock` is Maven's own and names every jar.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra.settings import Settings
from schemas.errors import Mendable

LOCK = Path(__file__).parent / "kafka_jars.lock"
PARALLEL = 8
TRIES = 3
OWN_FAULTS = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT, errno.ENOTDIR)
log = logging.getLogger(__name__)


class JarsUnavailable(Mendable):
    """The jars cannot be had; the message says why and what to do."""


@dataclass(frozen=True)
class Jar:
    """One pinned artefact of Maven Central."""

    group: str
    name: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        """Its name in the cache: unique in our list, which a test checks."""
        return f"{self.name}-{self.version}.jar"


def read_lock(text: str) -> tuple[Jar, ...]:
    """The jars of a lock: `group:name:version sha256:HEX` per line, `#` starts a comment. ValueError if malformed."""
    jars = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            coordinates, checksum = line.split()
            group, name, version = coordinates.split(":")
            algorithm, digest = checksum.split(":")
            if algorithm != "sha256" or len(digest) != 64:
                raise ValueError(f"not a sha256 checksum: {line!r}")
            jars.append(Jar(group=group, name=name, version=version, sha256=digest))
    return tuple(jars)


def kafka_version(jars: Sequence[Jar]) -> str:
    """The version of the broker among the jars."""
    return next(jar.version for jar in jars if jar.group == "org.apache.kafka" and jar.name.startswith("kafka_"))


def cache_folder(settings: Settings, jars: Sequence[Jar]) -> Path:
    """Where the jars lie: shared by all data folders of a user, one folder per version of Kafka."""
    root = settings.jar_cache or Path.home() / ".cache" / "copydesk"
    return root / f"kafka-{kafka_version(jars)}"


def intact(folder: Path, jar: Jar) -> bool:
    """Whether the cached file is there and is the pinned one."""
    try:
        with (folder / jar.filename).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


def ensure_jars(settings: Settings, jars: Sequence[Jar] | None = None) -> list[Path]:
    """The class path of the broker, every jar checked against its checksum, missing or damaged ones fetched anew.

    Safe when several processes do it at once. Raises `JarsUnavailable`.
    """
    pinned = read_lock(LOCK.read_text()) if jars is None else jars
    folder = cache_folder(settings, pinned)
    missing = [jar for jar in pinned if not intact(folder, jar)]
    if missing:
        log.info("fetching %d of Kafka's %d jars into %s (once)", len(missing), len(pinned), folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with ThreadPoolExecutor(PARALLEL) as pool:
                list(pool.map(lambda jar: _fetch(settings.maven_repository, jar, folder), missing))
        except OSError as error:
            raise JarsUnavailable(
                f"Kafka's jars cannot be kept in {folder}: {error.strerror}. Name another folder: COPYDESK_JAR_CACHE=…"
            ) from error
    return [folder / jar.filename for jar in pinned]


def probe(settings: Settings) -> tuple[int, int]:
    """(intact jars in the cache, jars needed). Raises `JarsUnavailable` if some are missing and cannot be fetched."""
    pinned = read_lock(LOCK.read_text())
    folder = cache_folder(settings, pinned)
    missing = [jar for jar in pinned if not intact(folder, jar)]
    if missing:
        with tempfile.TemporaryDirectory() as staging:  # one small jar shows that the others can be had
            _download(settings.maven_repository, min(missing, key=lambda jar: jar.name != "jspecify"), Path(staging))
    return len(pinned) - len(missing), len(pinned)


def _fetch(repository: str, jar: Jar, folder: Path) -> None:
    """Download into a folder of its own, check, then rename: the cache never holds half a file."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as staging:
        path = _download(repository, jar, Path(staging))
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != jar.sha256:
            raise JarsUnavailable(
                f"the checksum of {jar.filename} is wrong: {found} instead of {jar.sha256}. The file was not kept."
                " A proxy or mirror may have answered with something else; COPYDESK_MAVEN_REPOSITORY names another."
            )
        path.replace(folder / jar.filename)


def _download(repository: str, jar: Jar, staging: Path) -> Path:
    from jgo.maven import MavenContext  # 0.2 s that only a fetch needs to pay

    remotes = {"mirror": repository.rstrip("/")} if repository else None
    reason: Exception | None = None
    for attempt in range(TRIES):
        try:
            context = MavenContext(repo_cache=staging / str(attempt), remote_repos=remotes)
            return Path(context.project(jar.group, jar.name).at_version(jar.version).artifact().resolve())
        except (RuntimeError, OSError) as error:  # "not found", and everything that requests raises
            if isinstance(error, OSError) and error.errno in OWN_FAULTS:
                raise
            reason = error
    raise JarsUnavailable(
        f"{jar.filename} cannot be fetched from {repository or 'Maven Central'}: {reason}\n"
        "Kafka's jars are fetched once; without a connection, name a Maven repository that can be reached"
        " (COPYDESK_MAVEN_REPOSITORY=…) or use a Kafka cluster of your own (COPYDESK_KAFKA_BOOTSTRAP=host:port)."
    ) from reason
