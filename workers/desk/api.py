"""The desk's HTTP API: the same actions as the pages, with the same checks, for other hands than a browser's."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from schemas.events import Violation
from workers.desk import quality
from workers.desk.desk import Desk
from workers.desk.quality import QualityReport
from workers.desk.queue import Progress, QueueItem, TitleOnDesk
from workers.desk.reading import Span, mark_strange
from workers.desk.verdicts import TITLE_LIMIT, Submission, length, one_line


class Queue(BaseModel):
    """The titles that wait, worst first, and how many there are in all."""

    items: list[QueueItem]
    waiting: int


class Accepted(BaseModel):
    """A verdict that the broker has acknowledged."""

    correction_id: UUID


class Wording(BaseModel):
    """A title as somebody is typing it."""

    model_config = ConfigDict(extra="forbid")

    title_id: UUID
    text: str = Field(max_length=1000)


class Checked(BaseModel):
    """What the house says about a wording. `spans` are the wording in runs; marked words are not in the article."""

    length: int
    limit: int
    violations: list[Violation]
    spans: list[Span]


class Health(BaseModel):
    """The desk answers and so does its database."""

    status: str
    waiting: int


def make_router(desk: Desk) -> APIRouter:
    """The routes; errors become status codes in `app.py`."""
    router = APIRouter()

    @router.get("/api/queue")
    def get_queue(limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Queue:
        """Titles that wait for a person, the most worth looking at first."""
        return Queue(items=desk.waiting(limit), waiting=desk.progress().waiting)

    @router.get("/api/titles/{title_id}")
    def get_title(title_id: UUID) -> TitleOnDesk:
        """One title with its article, its earlier titles and the verdict that holds."""
        return desk.title(title_id)

    @router.post("/api/titles/{title_id}/verdict")
    def post_verdict(title_id: UUID, submission: Submission) -> Accepted:
        """Judge a title: 200 once the broker has acknowledged everything. Sending the same again is harmless."""
        return Accepted(correction_id=desk.judge(title_id, submission).correction_id)

    @router.post("/api/check")
    def post_check(wording: Wording) -> Checked:
        """House rules and strange words of a wording over one title's article."""
        text = one_line(wording.text)
        shown, violations = desk.check(wording.title_id, text)
        return Checked(
            length=length(text),
            limit=TITLE_LIMIT,
            violations=list(violations),
            spans=list(mark_strange(wording.text, shown.text)),
        )

    @router.get("/api/stats")
    def get_stats() -> Progress:
        """The day so far."""
        return desk.progress()

    @router.get("/api/quality")
    def get_quality(days: Annotated[int, Query(ge=1, le=3650)] = quality.DAYS) -> QualityReport:
        """How good the flagger is by its own account, which sources have shifted, how titles are worded."""
        with desk.reading() as session:
            return quality.report(session, desk.now(), days)

    @router.get("/healthz")
    def get_health() -> Health:
        """200 while the database answers; the broker is tried with each verdict."""
        return Health(status="ok", waiting=desk.progress().waiting)

    return router
