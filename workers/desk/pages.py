"""The pages a curator lives in. Rendered here, brought to life by one small script, usable without it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, unquote
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ValidationError

from editorial.tags import TAG_OF_RULE, TAGS
from schemas.errors import Invalid, Transient
from schemas.events import Verdict
from workers.desk import archive, quality
from workers.desk.desk import Desk, Unknown
from workers.desk.queue import QueueItem, TitleOnDesk
from workers.desk.reading import READING_LIMIT, Paragraph, Span, lay_out, mark_strange
from workers.desk.verdicts import TITLE_LIMIT, AlreadyJudged, Submission, length, one_line

QUEUE_SHOWN = 40
PUBLISHED_SHOWN = 50
CURATOR_COOKIE = "curator"
_YEAR_S = 365 * 24 * 60 * 60


def age(moment: datetime, now: datetime) -> str:
    """How long ago, as short as it can be said."""
    minutes = max(0, int((now - moment).total_seconds() // 60))
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"


def in_short(name: str) -> str:
    """A rule's or a tag's name as a label."""
    return name.replace("_", " ").capitalize()


def labels(item: QueueItem) -> list[str]:
    """Why a title is here, in a word or two each; the full sentences stand beside the article."""
    short = [in_short(violation.rule) for violation in item.violations]
    if item.audit:
        return [*short, "Random sample"]
    return [*short, "Weak support"] if len(item.reasons) > len(item.violations) or not short else short


def safe_link(url: str) -> str:
    """An address that may stand in a link: http and https only, for feeds can say anything."""
    return url if url.lower().startswith(("http://", "https://")) else ""


_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,  # titles and articles are hostile input
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(in_short=in_short, labels=labels, safe_link=safe_link)
_environment.globals.update(age=age, TAGS=TAGS, TITLE_LIMIT=TITLE_LIMIT, READING_LIMIT=READING_LIMIT)
_templates = Jinja2Templates(env=_environment)


def _render(request: Request, template: str, content: dict[str, object], status: int) -> Response:
    response: Response = _templates.TemplateResponse(request, template, content, status_code=status)
    return response


def trouble(request: Request, status: int, words: str) -> Response:
    """A page that says what went wrong and where to go on."""
    content: dict[str, object] = {"status": status, "words": words, "curator": _curator(request), "progress": None}
    return _render(request, "trouble.html", content, status)


def _curator(request: Request) -> str:
    return unquote(request.cookies.get(CURATOR_COOKIE, ""))[:80]


class VerdictForm(BaseModel):
    """The form's fields as a browser sends them. Anything goes in; `submission` is as strict as the API."""

    verdict: str = ""
    text: str = ""
    error_tags: tuple[str, ...] = ()
    curator: str = ""
    seconds_spent: str = "0"
    note: str = ""

    def submission(self) -> Submission:
        """What the form says. Raises pydantic's `ValidationError`."""
        return Submission.model_validate(self.model_dump())


class Bench(BaseModel):
    """The middle of the page: a title being worked on. `typed` is what stands in the form."""

    title: TitleOnDesk
    typed: VerdictForm
    spans: tuple[Span, ...]
    paragraphs: tuple[Paragraph, ...]
    length: int
    hints: frozenset[str]
    """Error tags that the broken house rules suggest."""
    next_id: UUID | None
    previous_id: UUID | None
    locked: bool
    """Somebody else's verdict holds: to be read, not to be changed."""

    @property
    def changed(self) -> bool:
        """The wording is no longer the model's."""
        return one_line(self.typed.text) != one_line(self.title.title)

    @property
    def approvable(self) -> bool:
        """The model's wording could go out as it is."""
        return 0 < length(one_line(self.title.title)) <= TITLE_LIMIT

    @property
    def other_reasons(self) -> tuple[str, ...]:
        """Why it is here, apart from the house rules that stand beside it anyway."""
        broken = {violation.reason for violation in self.title.violations}
        return tuple(reason for reason in self.title.reasons if reason not in broken)


def lay_bench(title: TitleOnDesk, typed: VerdictForm | None, curator: str, around: Sequence[QueueItem]) -> Bench:
    """Everything the page shows about one title. Pure."""
    if typed is None:
        kept = title.standing is None or title.standing.verdict is Verdict.spiked
        text = title.title if kept or title.standing is None else title.standing.title_after
        tags = title.standing.error_tags if title.standing else ()
        typed = VerdictForm(text=text, error_tags=tags, curator=curator)
    ids = [item.title_id for item in around]
    place = ids.index(title.title_id) if title.title_id in ids else -1
    return Bench(
        title=title,
        typed=typed,
        spans=mark_strange(typed.text, title.text),
        paragraphs=lay_out(title.text, title.evidence),
        length=length(typed.text),
        hints=frozenset(TAG_OF_RULE[broken.rule] for broken in title.violations if broken.rule in TAG_OF_RULE),
        next_id=ids[place + 1] if place + 1 < len(ids) else None,
        previous_id=ids[place - 1] if place > 0 else None,
        locked=title.standing is not None and title.standing.curator != curator,
    )


def _show(
    request: Request,
    desk: Desk,
    items: Sequence[QueueItem],
    title: TitleOnDesk | None,
    *,
    typed: VerdictForm | None = None,
    error: str = "",
    done: UUID | None = None,
    status: int = 200,
) -> Response:
    bench = lay_bench(title, typed, _curator(request), items) if title else None
    notice = _just_done(desk, done) if done else None
    return page(request, desk, "desk.html", {"items": items, "bench": bench, "error": error, "done": notice}, status)


def _just_done(desk: Desk, title_id: UUID) -> TitleOnDesk | None:
    try:
        title = desk.title(title_id)
    except Unknown:
        return None
    return title if title.standing else None


def page(request: Request, desk: Desk, template: str, content: dict[str, object], status: int = 200) -> Response:
    """A template in the frame that all pages share."""
    frame = {"now": desk.now(), "progress": desk.progress(), "curator": _curator(request)}
    return _render(request, template, {**frame, **content}, status)


def _sentence(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors()[0]["msg"]).removeprefix("Value error, ")
    if isinstance(error, Transient):
        return (
            f"It could not be sent, and nothing is lost: your wording is still here. Try again in a moment. ({error})"
        )
    return str(error)


def make_router(desk: Desk) -> APIRouter:
    """The routes; `Unknown` and `Transient` become pages in `app.py`."""
    router = APIRouter(include_in_schema=False, default_response_class=Response)

    @router.get("/")
    def get_desk(request: Request, done: UUID | None = None) -> Response:
        items = desk.waiting(QUEUE_SHOWN)
        title = desk.title(items[0].title_id) if items else None
        return _show(request, desk, items, title, done=done)

    @router.get("/titles/{title_id}")
    def get_title(request: Request, title_id: UUID, done: UUID | None = None) -> Response:
        return _show(request, desk, desk.waiting(QUEUE_SHOWN), desk.title(title_id), done=done)

    @router.post("/titles/{title_id}/verdict")
    def post_verdict(request: Request, title_id: UUID, form: Annotated[VerdictForm, Form()]) -> Response:
        """The way without the script: back to the page with what was typed when it cannot be done."""
        try:
            desk.judge(title_id, form.submission())
        except Unknown:
            raise
        except (Invalid, Transient, ValidationError) as error:
            status = 503 if isinstance(error, Transient) else 409 if isinstance(error, AlreadyJudged) else 422
            title, items = desk.title(title_id), desk.waiting(QUEUE_SHOWN)
            return _show(request, desk, items, title, typed=form, error=_sentence(error), status=status)
        answer = RedirectResponse(f"/?done={title_id}", status_code=303)
        answer.set_cookie(CURATOR_COOKIE, quote(form.curator), max_age=_YEAR_S, samesite="strict")
        return answer

    @router.get("/published")
    def get_published(request: Request, before: datetime | None = None) -> Response:
        with desk.reading() as session:
            titles = archive.published(session, PUBLISHED_SHOWN, before)
        return page(request, desk, "published.html", {"titles": titles, "full": len(titles) == PUBLISHED_SHOWN})

    @router.get("/article/{article_id}")
    def get_article(request: Request, article_id: UUID) -> Response:
        with desk.reading() as session:
            story = archive.way_of(session, article_id)
        if story is None:
            raise Unknown(f"there is no article {article_id}")
        return page(request, desk, "article.html", {"story": story})

    @router.get("/models")
    def get_models(request: Request) -> Response:
        with desk.reading() as session:
            return page(request, desk, "models.html", {"models": archive.models(session)})

    @router.get("/quality")
    def get_quality(request: Request) -> Response:
        with desk.reading() as session:
            found = quality.report(session, desk.now())
        return page(request, desk, "quality.html", {"report": found, "days": quality.DAYS})

    return router
