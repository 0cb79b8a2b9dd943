"""The press as a web server on 127.0.0.1: feeds, article pages, robots.txt, honest validators."""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.middleware.gzip import GZipMiddleware

from infra.newsroom.archive import ArchivedPress, read_archive
from infra.newsroom.feeds import CONTENT_TYPES, render_feed, render_opml
from infra.newsroom.pages import render_index, render_page
from infra.newsroom.sites import Page, Press, Site
from infra.newsroom.timetable import SimulatedPress
from infra.settings import LOOPBACK, Settings
from schemas.errors import Invalid

log = logging.getLogger(__name__)

AI_BOTS = ("GPTBot", "CCBot", "Google-Extended", "ClaudeBot")
RELATED = 4
Clock = Callable[[], datetime]


class Opening(BaseModel):
    """What a restarted press must know to go on where it was."""

    seed: int
    opened_at: datetime


def create_app(press: Press, clock: Clock) -> FastAPI:
    """The server of a press. Everything it says follows from the press and the clock."""
    app = FastAPI(title="Press", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(GZipMiddleware, minimum_size=500, compresslevel=4)
    sites = {site.slug: site for site in press.sites}

    @app.get("/", response_class=HTMLResponse)
    def index(request: Request) -> str:
        return render_index(press, base=_base(request), count=press.count(clock()))

    @app.get("/healthz")
    def healthz() -> JSONResponse:
        now = clock()
        facts = {"status": "ok", "simulated": press.simulated, "articles": press.count(now)}
        return JSONResponse({**facts, "complete": press.complete(now)})

    @app.get("/robots.txt")
    def robots() -> Response:
        return Response(_robots(press.sites), media_type="text/plain")

    @app.get("/feeds.opml")
    def opml(request: Request) -> Response:
        return Response(render_opml(press.sites, _base(request)), media_type="text/x-opml")

    @app.get("/{slug}/{name:path}")
    def page(slug: str, name: str, request: Request) -> Response:
        site = sites.get(slug)
        if site is None:
            raise HTTPException(404, "no such site")
        if name == site.feed_name:
            return _feed(press, site, request, clock())
        return _article(press, site, request, clock())

    return app


def _feed(press: Press, site: Site, request: Request, now: datetime) -> Response:
    items = press.items(site, now)
    changed = max((item.updated_at for item in items), default=None)
    return _conditional(request, render_feed(site, items, _base(request)), CONTENT_TYPES[site.kind], changed)


def _article(press: Press, site: Site, request: Request, now: datetime) -> Response:
    slug = request.scope["raw_path"].decode("ascii").partition("?")[0].rpartition("/")[2]
    item = press.find(site, slug, now)
    if item is None or item.page is Page.dead:
        return HTMLResponse("<!doctype html><title>Not found</title><h1>This page is no longer here.</h1>", 404)
    related = [other for other in press.items(site, now)[: RELATED + 1] if other.slug != item.slug][:RELATED]
    body = render_page(site, item, related, base=_base(request), simulated=press.simulated)
    return _conditional(request, body, "text/html; charset=utf-8", item.updated_at, reserved=site.reserved)


def _conditional(
    request: Request, text: str, content_type: str, changed: datetime | None, *, reserved: bool = False
) -> Response:
    """200 or 304 (RFC 9110, 13). The tag is weak: the same text goes out packed and unpacked."""
    body = text.encode("utf-8", errors="replace")
    headers = {"etag": f'W/"{sha256(body).hexdigest()[:20]}"', "cache-control": "no-cache"}
    if changed:
        headers["last-modified"] = format_datetime(changed.astimezone(UTC), usegmt=True)
    if reserved:
        headers["tdm-reservation"] = "1"
    if _not_modified(request, headers["etag"], changed):
        return Response(status_code=304, headers=headers)
    return Response(body, headers={**headers, "content-type": content_type})


def _not_modified(request: Request, etag: str, changed: datetime | None) -> bool:
    if known := request.headers.get("if-none-match"):  # outranks the date
        return etag in [tag.strip() for tag in known.split(",")] or known.strip() == "*"
    since = request.headers.get("if-modified-since")
    if not since or changed is None:
        return False
    try:
        return changed.replace(microsecond=0) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):  # no date, or one without a zone
        return False


def _robots(sites: tuple[Site, ...]) -> str:
    closed = "\n".join(f"Disallow: /{site.slug}/" for site in sites if site.reserved)
    bots = "\n".join(f"User-agent: {bot}" for bot in AI_BOTS)
    return "User-agent: *\nDisallow: /admin/\n" + (f"\n{bots}\n{closed}\n" if closed else "")


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def main(
    settings: Settings, *, articles: Path | None, limit: int | None, per_minute: float, seed: int, total: int | None
) -> None:
    """Serve until told to stop. `articles` are all there from the start: `per_minute` and `total` mean nothing then."""
    now = datetime.now(UTC)
    try:
        press = _open_press(settings, articles, limit, per_minute, seed, total, now)
        listener = _listen(settings.newsroom_port)
    except Invalid as error:
        raise SystemExit(f"newsroom: {error}") from error
    log.info("%d articles, http://%s:%d/", press.count(now), LOOPBACK, settings.newsroom_port)
    app = create_app(press, lambda: datetime.now(UTC))
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
    # after its clean stop uvicorn sends itself the signal again: with these handlers the exit status is 0
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    uvicorn.Server(config).run(sockets=[listener])


def _open_press(
    settings: Settings,
    articles: Path | None,
    limit: int | None,
    per_minute: float,
    seed: int,
    total: int | None,
    now: datetime,
) -> Press:
    opened_at = remember_opening(settings.home / "newsroom.json", seed, now)
    if articles is not None:
        return ArchivedPress(read_archive(articles, limit), opened_at)
    return SimulatedPress(seed=seed, opened_at=opened_at, per_minute=per_minute, total=total)


def remember_opening(path: Path, seed: int, now: datetime) -> datetime:
    """When the press with this seed first opened in this data folder: a restart goes on, another seed starts anew.

    Raises `Invalid` when the folder cannot be written.
    """
    try:
        opening = Opening.model_validate_json(path.read_bytes())
        if opening.seed == seed:
            return opening.opened_at
    except (OSError, ValidationError):
        pass  # no press was here, or its note is unreadable
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"seed": seed, "opened_at": now.isoformat()}))
    except OSError as error:
        raise Invalid(f"cannot write {path}: {error.strerror}; name another folder with COPYDESK_HOME") from error
    return now


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise Invalid(
            f"port {port} cannot be used ({error.strerror}); set another with COPYDESK_NEWSROOM_PORT"
        ) from error
    return listener
