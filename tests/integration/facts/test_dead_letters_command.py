"""`copydesk dlt` on real Kafka, with letters that the real archivist has buried."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from copydesk.letters import REPLAY_OF, REPLAYS
from copydesk.main import app
from infra.kafka import RawHeaders, Record, make_producer, read_whole
from infra.resend import Parcel, resend
from infra.settings import Settings, get_settings
from schemas.golden import messages
from schemas.topics import ADAPTERS, ARTICLES, TITLES
from tests.ground import environment_for, wait_until
from tests.strange_names import Name

Command = Callable[..., Result]
GOLDEN = next(messages(ARTICLES))
HEADERS: RawHeaders = (*GOLDEN.wire_headers, ("without a value", None), ("raw", b"\xff\x00"))
POISON = [
    Parcel(ARTICLES.name, b"\xff key", b"<rss/>", HEADERS),
    Parcel(TITLES.name, b"key", None, HEADERS),
    Parcel(ADAPTERS.name, b"key", GOLDEN.wire_value, HEADERS),
]


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    yield lambda *words, **more: CliRunner().invoke(app, ["dlt", *words], **more)
    get_settings.cache_clear()


@pytest.fixture
def archivist(settings: Settings) -> Iterator[None]:
    with (Path(settings.home) / "archivist.log").open("ab") as log:
        words = [sys.executable, "-m", "copydesk", "worker", "archivist"]
        process = subprocess.Popen(words, env=environment_for(settings), stdout=log, stderr=log)
    yield
    process.kill()
    process.wait()


@pytest.fixture
def listed(command: Command) -> Callable[..., list[dict[str, Any]]]:
    def rows(*options: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(command("list", "--json", *options).stdout)
        return found

    return rows


def on(settings: Settings, topic: str) -> list[Record]:
    return list(read_whole(settings, topic))


@pytest.mark.timeout(400)
def test_letters_are_found_shown_and_put_back_and_count_how_often(
    settings: Settings, command: Command, archivist: None, listed: Callable[..., list[dict[str, Any]]]
) -> None:
    resend(settings, POISON)
    wait_until(lambda: len(listed()) == 3, 120, every_s=0.5)

    # found by topic, reason, verdict and time
    assert [one["topic"] for one in listed("--topic", "titles")] == ["titles"]
    assert [one["topic"] for one in listed("--reason", "NOT JSON")] == ["articles"]
    assert listed("--verdict", "transient") == listed("--until", "1h") == listed("--since", "2099-01-01") == []
    assert len(listed("--since", "1h", "--verdict", "invalid")) == 3
    assert len(listed("--limit", "2")) == 2
    assert "3 letters (3 invalid)" in command("list").stdout

    # shown whole, with nothing in it that could drive the terminal
    (address,) = (one["letter"] for one in listed("--topic", "articles"))
    whole = json.loads(command("show", address, "--json").stdout)
    assert (whole["key"], whole["value"]) == ({"base64": "/yBrZXk="}, "<rss/>")
    assert whole["headers"][-2:] == [["without a value", None], ["raw", {"base64": "/wA="}]]
    assert "JSON" in command("show", address).stdout

    # nobody said yes, or it was only to be tried
    before = on(settings, ARTICLES.name)
    assert command("replay", "--all", input="n\n").exit_code == 1
    assert "would be put back" in command("replay", "--all", "--dry-run").stdout
    assert on(settings, ARTICLES.name) == before

    # put back as it was, with a mark; it dies again
    done = command("replay", "--all", "--yes")
    assert (done.exit_code, "3 letters" in done.stdout) == (0, True)
    first, second = on(settings, ARTICLES.name)
    assert (second.key, second.value, second.headers[: len(HEADERS)]) == (first.key, first.value, HEADERS)
    assert dict(second.headers)[REPLAY_OF] == address.encode()
    wait_until(lambda: len(listed()) == 6, 60, every_s=0.5)
    assert sorted(one["replays"] for one in listed()) == [0, 0, 0, 1, 1, 1]
    assert sorted(one["replays"] for one in listed("--open")) == [1, 1, 1]

    # again: of the two letters about each message only the newer goes, once, and counts on
    again = json.loads(command("replay", "--all", "--yes", "--json").stdout)
    assert [one["replays"] for one in again] == [2, 2, 2]
    wait_until(lambda: len(listed()) == 9, 60, every_s=0.5)
    third = on(settings, ARTICLES.name)[-1]
    assert third.headers[: len(HEADERS)] == HEADERS
    names = [name for name, _ in third.headers]
    assert len(names) == len(set(names)), "nothing stands there twice"
    newest = listed("--topic", "articles")[0]
    assert newest["replays"] == 2
    letters = [dict(record.headers) for record in on(settings, ARTICLES.dead_letters)]
    assert [letter.get(REPLAYS) for letter in letters] == [None, b"1", b"2"]


def test_a_letter_that_is_not_there_and_a_call_without_a_choice_are_refused(command: Command) -> None:
    missing = command("show", "articles/0/7")
    assert missing.exception is not None
    assert "there is no letter articles/0/7" in str(missing.exception)
    assert command("replay").exit_code == 2
    assert command("replay", "articles/0/7", "--all").exit_code == 2
    assert command("list", "--topic", "nothing").exit_code == 2
    assert command("list").stdout == "No dead letter.\n"


def test_any_message_can_be_put_back_even_one_without_key_and_value(settings: Settings) -> None:
    parcels = [Parcel(ARTICLES.name, key, value, HEADERS) for key in (None, b"", b"k") for value in (None, b"", b"v")]
    places = resend(settings, parcels)
    lying = {(record.partition, record.offset): record for record in on(settings, ARTICLES.name)}
    found = [lying[place.partition, place.offset] for place in places]
    assert [(one.key, one.value, one.headers) for one in found] == [(p.key, p.value, HEADERS) for p in parcels]


def test_a_letter_with_a_header_name_that_is_no_text_is_listed_like_any_other(
    settings: Settings, listed: Callable[..., list[dict[str, Any]]]
) -> None:
    producer = make_producer(settings, "test")
    for name in (Name(b"\xff\xfe"), "fine"):
        producer.send(ARTICLES.dead_letters, key=b"k", value=b"v", headers=[(name, b"x")]).get(timeout=30)
    producer.close()
    assert [one["headers"] for one in listed()] == [[["fine", "x"]], [["\\xff\\xfe", "x"]]]
