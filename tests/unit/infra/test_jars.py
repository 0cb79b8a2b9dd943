"""The lock of Kafka's jars, without a network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from infra.jars import LOCK, Jar, JarsUnavailable, cache_folder, ensure_jars, intact, kafka_version, read_lock
from infra.settings import Settings


def _jar(content: bytes = b"a jar") -> Jar:
    return Jar("org.apache.kafka", "kafka_2.13", "4.4.0", hashlib.sha256(content).hexdigest())


def test_the_lock_names_every_jar_once_and_one_version_of_kafka() -> None:
    jars = read_lock(LOCK.read_text())
    assert len({jar.filename for jar in jars}) == len(jars) > 40
    versions = {jar.version for jar in jars if jar.group == "org.apache.kafka"}
    assert versions == {kafka_version(jars)}


def test_the_lock_names_no_repository() -> None:
    assert "://" not in LOCK.read_text()


@pytest.mark.parametrize("line", ["org:name:1", "org:name sha256:" + "0" * 64, "a:b:1 md5:abc", "a:b:1 sha256:abc"])
def test_a_malformed_lock_is_an_error(line: str) -> None:
    with pytest.raises(ValueError):
        read_lock(line)


def test_a_cached_jar_is_used_only_while_its_checksum_is_right(tmp_path: Path) -> None:
    jar = _jar()
    assert not intact(tmp_path, jar)
    (tmp_path / jar.filename).write_bytes(b"a jar")
    assert intact(tmp_path, jar)
    (tmp_path / jar.filename).write_bytes(b"another")
    assert not intact(tmp_path, jar)


def test_with_everything_in_the_cache_no_network_is_needed(tmp_path: Path) -> None:
    settings, jar = Settings(jar_cache=tmp_path), _jar()
    folder = cache_folder(settings, [jar])
    folder.mkdir()
    (folder / jar.filename).write_bytes(b"a jar")
    assert ensure_jars(settings, [jar]) == [folder / jar.filename]


def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(JarsUnavailable, match="COPYDESK_JAR_CACHE"):
        ensure_jars(Settings(jar_cache=tmp_path / "file"), [_jar()])
