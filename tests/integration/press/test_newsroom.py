"""The press over HTTP, as a feed reader and a person meet it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from infra.newsroom.sites import Press
from infra.newsroom.timetable import FIRST_BATCH, HARBOR, LANTERN, SimulatedPress
from infra.settings import Settings
from tests.ground import environment_for, free_ports, wait_until
from tests.integration.press.conftest import Hands

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OpenPress = Callable[[Press, Hands], str]


def test_validators_are_honest(open_press: OpenPress) -> None:
    clock = Hands(NOON)
    feed = open_press(SimulatedPress(seed=1, opened_at=NOON, per_minute=60), clock) + HARBOR.feed_path
    first = httpx.get(feed)
    assert httpx.get(feed, headers={"if-none-match": first.headers["etag"]}).status_code == 304
    assert httpx.get(feed, headers={"if-modified-since": first.headers["last-modified"]}).status_code == 304
    assert httpx.get(feed, headers={"if-modified-since": "yesterday"}).status_code == 200
    assert first.headers["content-encoding"] == "gzip"
    clock.now += timedelta(minutes=1)
    second = httpx.get(feed, headers={"if-none-match": first.headers["etag"]})
    assert second.status_code == 200
    assert second.headers["etag"] != first.headers["etag"]


def test_the_press_says_that_it_is_simulated_and_who_may_not_train(open_press: OpenPress) -> None:
    press = SimulatedPress(seed=1, opened_at=NOON, per_minute=60)
    base = open_press(press, Hands(NOON))
    assert "Nothing here is real news" in httpx.get(base).text
    assert f"Disallow: /{LANTERN.slug}/" in httpx.get(f"{base}/robots.txt").text
    page = httpx.get(f"{base}/{LANTERN.slug}/{press.items(LANTERN, NOON)[0].slug}")
    assert page.headers["tdm-reservation"] == "1"
    assert '<meta name="generator" content="Copydesk simulated newsroom">' in page.text
    assert httpx.get(f"{base}/healthz").json()["articles"] == FIRST_BATCH


def test_an_article_that_is_not_out_yet_has_no_page(open_press: OpenPress) -> None:
    clock = Hands(NOON + timedelta(minutes=1))
    press = SimulatedPress(seed=1, opened_at=NOON, per_minute=60)
    base = open_press(press, clock)
    newest = f"{base}/{HARBOR.slug}/{press.items(HARBOR, clock.now)[0].slug}"
    assert httpx.get(newest).status_code == 200
    clock.now = NOON
    assert httpx.get(newest).status_code == 404


def test_the_process_stops_cleanly_and_says_when_its_port_is_taken(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, newsroom_port=free_ports())
    command = [sys.executable, "-m", "copydesk", "newsroom"]
    first = subprocess.Popen(command, env=environment_for(settings))
    try:
        wait_until(lambda: _answers(settings.newsroom_port), 60)
        second = subprocess.run(command, env=environment_for(settings), capture_output=True, text=True, timeout=60)
        assert second.returncode == 1
        assert "COPYDESK_NEWSROOM_PORT" in second.stderr
    finally:
        first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=20) == 0


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.HTTPError:
        return False
