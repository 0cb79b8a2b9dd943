"""The desk's web application: routes, and what each kind of trouble means as a status code."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import Lifespan

from infra.settings import Settings
from schemas.errors import Invalid, Transient
from workers.desk import api, cost, pages
from workers.desk.desk import Desk, Unknown
from workers.desk.guard import Guard, allowed_hosts
from workers.desk.verdicts import AlreadyJudged

HERE = Path(__file__).parent


def make_app(settings: Settings, desk: Desk, *, lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """The application; nothing is connected yet. `desk` is what it shows; `lifespan` runs around it on its loop."""
    app = FastAPI(title="Copydesk: the desk", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.include_router(api.make_router(desk))
    app.include_router(pages.make_router(desk))
    app.include_router(cost.make_router(settings, desk))
    app.add_middleware(Guard, hosts=allowed_hosts(settings.desk_host, settings.desk_allowed_hosts))
    for kind in (Invalid, Transient, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _explain)
    return app


def status_of(error: Exception) -> int:
    """Invalid input is the caller's (404, 409, 422), trouble outside is ours for now (503)."""
    match error:
        case Unknown():
            return 404
        case AlreadyJudged():
            return 409
        case Invalid() | RequestValidationError():
            return 422
        case Transient():
            return 503
        case HTTPException(status_code=status):
            return status
        case _:
            return 500


def in_words(error: Exception) -> str:
    """What to tell the person. Never repeats the input: it may be hostile."""
    match error:
        case RequestValidationError():
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"][1:])
            return f"{place}: {fault['msg']}".removeprefix(": ")
        case HTTPException(detail=detail):
            return detail
        case Transient():
            return f"It could not be done now: {error}"
        case _:
            return str(error)


async def _explain(request: Request, error: Exception) -> Response:
    status, words = status_of(error), in_words(error)
    if request.url.path.startswith(("/api/", "/healthz")):
        return JSONResponse({"detail": words}, status_code=status)
    return pages.trouble(request, status, words)
