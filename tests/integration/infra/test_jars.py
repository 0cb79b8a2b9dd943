"""Fetching jars from a repository: a real one where it matters, a lying one on this machine where it must fail."""

from __future__ import annotations

import gc
import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.jars import LOCK, Jar, JarsUnavailable, cache_folder, ensure_jars, read_lock
from infra.settings import LOOPBACK, Settings

KAFKA = Jar("org.apache.kafka", "kafka_2.13", "4.4.0", "")
CONTENT = b"the broker" * 1000


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[str]:
    """A Maven repository with one jar in it."""
    folder = tmp_path / "repository" / "org/apache/kafka/kafka_2.13/4.4.0"
    folder.mkdir(parents=True)
    (folder / "kafka_2.13-4.4.0.jar").write_bytes(CONTENT)
    (folder / "kafka_2.13-4.4.0.jar.sha1").write_text(hashlib.sha1(CONTENT).hexdigest())
    server = ThreadingHTTPServer((LOOPBACK, 0), partial(Silent, directory=str(tmp_path / "repository")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{LOOPBACK}:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _right() -> Jar:
    return replace(KAFKA, sha256=hashlib.sha256(CONTENT).hexdigest())


def test_a_jar_with_a_wrong_checksum_is_refused_and_not_kept(tmp_path: Path, repository: str) -> None:
    settings = Settings(jar_cache=tmp_path / "cache", maven_repository=repository)
    expected = replace(KAFKA, sha256="0" * 64)
    with pytest.raises(JarsUnavailable, match=r"checksum of kafka_2\.13-4\.4\.0\.jar is wrong"):
        ensure_jars(settings, [expected])
    assert list(cache_folder(settings, [expected]).iterdir()) == []


def test_a_damaged_jar_in_the_cache_is_fetched_anew(tmp_path: Path, repository: str) -> None:
    settings = Settings(jar_cache=tmp_path / "cache", maven_repository=repository)
    [path] = ensure_jars(settings, [_right()])
    path.write_bytes(b"damaged")
    assert ensure_jars(settings, [_right()]) == [path]
    assert path.read_bytes() == CONTENT


def test_many_may_fetch_into_one_cache_at_once(tmp_path: Path, repository: str) -> None:
    settings = Settings(jar_cache=tmp_path / "cache", maven_repository=repository)
    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(lambda _: ensure_jars(settings, [_right()]), range(6)))
    assert all(path == paths[0] for path in paths)
    assert [file.name for file in cache_folder(settings, [_right()]).iterdir()] == ["kafka_2.13-4.4.0.jar"]


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_jar_that_the_repository_does_not_have_is_named(tmp_path: Path, repository: str) -> None:
    settings = Settings(jar_cache=tmp_path / "cache", maven_repository=repository)
    with pytest.raises(JarsUnavailable, match=r"kafka_2\.13-9\.9\.jar cannot be fetched"):
        ensure_jars(settings, [replace(KAFKA, version="9.9", sha256="0" * 64)])
    gc.collect()  # jgo leaves the connection of a refused request open: its warning belongs to this test


def test_the_pinned_jars_come_from_maven_central_with_the_pinned_checksums(tmp_path: Path) -> None:
    jars = [jar for jar in read_lock(LOCK.read_text()) if jar.name in ("kafka_2.13", "jspecify")]
    paths = ensure_jars(Settings(jar_cache=tmp_path), jars)
    assert len(paths) == 2
    assert all(path.stat().st_size > 0 for path in paths)
