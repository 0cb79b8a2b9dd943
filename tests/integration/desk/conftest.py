"""A desk on a free port, with a broker that can be switched off, and a real browser in front of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from sqlalchemy import Engine

from infra.database import make_engine, migrate
from infra.settings import Settings
from tests.desk_seed import NOW, OTHERS, TIDE, RecordingBroker, put
from tests.ground import wait_until
from tests.install_browser import launch
from workers.desk.app import make_app
from workers.desk.desk import Desk


@dataclass
class DeskInTest:
    """A running desk: its address, its database and the broker it sends to."""

    address: str
    engine: Engine
    broker: RecordingBroker


@pytest.fixture
def running_desk(tmp_path: Path) -> Iterator[DeskInTest]:
    """A desk with seven titles waiting, served by the real server."""
    engine = make_engine(Settings(home=tmp_path))
    migrate(engine)
    put(engine, TIDE, *OTHERS)
    recorder = RecordingBroker()
    app = make_app(Settings(), Desk(engine, recorder, lambda: NOW))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, 30)
        port: int = server.servers[0].sockets[0].getsockname()[1]
        yield DeskInTest(f"http://127.0.0.1:{port}", engine, recorder)
    finally:
        server.should_exit = True
        thread.join(20)
        engine.dispose()


@pytest.fixture(scope="module")  # no longer: while Playwright's loop lives in this thread, no other test can run one
def browser() -> Iterator[Browser]:
    """A real Chromium; without one the test fails and says what to do."""
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        started = launch(playwright)
        try:
            yield started
        finally:
            started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that has never been here."""
    made = browser.new_context(viewport={"width": 1440, "height": 900})
    made.set_default_timeout(30_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, running_desk: DeskInTest) -> Iterator[Page]:
    """The desk's first page, opened by Ana. Any error in the page's script fails the test."""
    context.add_cookies([{"name": "curator", "value": "Ana", "url": running_desk.address}])
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(running_desk.address)
    yield opened
    assert faults == []
