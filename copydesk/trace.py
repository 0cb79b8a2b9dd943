"""`copydesk trace`: one article's way through the workers as a tree of spans with their durations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from rich.table import Table
from rich.text import Text

from copydesk.console import console, plain
from infra.observability import tracing
from infra.observability.trace_files import Span, folder, traces_of
from infra.settings import Settings
from schemas.errors import Invalid
from schemas.events import Article

BAR = 32
"""Width of the time line in characters."""


def run(settings: Settings, article: str, *, as_json: bool) -> int:
    """Print the article's traces, one per revision. Raises `Invalid` where there are none."""
    traces = find(settings, article)
    if as_json:
        print(json.dumps([as_dict(spans) for spans in traces.values()], indent=2))
        return 0
    out = console()
    for spans in traces.values():
        out.print(Text(_heading(spans), style="bold"))
        out.print(draw(spans))
    return 0


def find(settings: Settings, article: str) -> dict[str, list[Span]]:
    """The spans of each of the article's traces. `article` is its id, the first characters of it, or its address."""
    name = str(Article.make_id(article)) if "://" in article else article.lower()
    traces = traces_of(settings.home, name)
    keys = {span.key for spans in traces.values() for span in spans if span.key}
    if not traces:
        raise Invalid(_nothing(settings, name))
    if len(keys) > 1:
        raise Invalid(f"{article!r} is the beginning of {len(keys)} articles' ids: give more of it")
    return traces


def _nothing(settings: Settings, name: str) -> str:
    if not settings.trace_endpoint:
        where = folder(settings.home)
        return f"no span of article {name!r} in {where}: not traced (COPYDESK_TRACE_SHARE), too old, or never seen"
    try:
        first = f"{tracing.trace_id_of(Article.event_id_of(UUID(name), 1)):032x}"
    except ValueError:
        return "spans go to your collector (COPYDESK_TRACE_ENDPOINT); give an article's whole id to hear its trace's"
    return f"spans go to your collector (COPYDESK_TRACE_ENDPOINT): revision 1 of the article is trace {first} there"


def in_order(spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """Each span with its depth, every one under its parent, in the order in which they began.

    Where the parent is missing (its process was killed before it could write) the span stands at the top.
    """
    known = {span.span_id for span in spans}
    below: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda span: span.began):
        below.setdefault(span.parent_id if span.parent_id in known else "", []).append(span)

    def walk(parent: str, depth: int) -> Iterator[tuple[int, Span]]:
        for span in below.get(parent, []):
            yield depth, span
            yield from walk(span.span_id, depth + 1)

    return walk("", 0)


def draw(spans: Sequence[Span]) -> Table:
    """One trace as a tree: when each span began, how long it took, and where on the whole way that was."""
    began, whole = _extent(spans)
    table = Table(box=None, pad_edge=False)
    for heading, side in (("span", "left"), ("began", "right"), ("took", "right"), ("", "left")):
        table.add_column(heading, justify=side, no_wrap=True)  # type: ignore[arg-type]  # a str of rich's own
    for depth, span in in_order(spans):
        name = Text("  " * depth) + plain(span.name)
        if span.failed:
            name.append(f"  {plain(span.failed)}"[:60], style="yellow")
        offset = (span.began - began).total_seconds()
        table.add_row(name, f"+{_duration(offset)}", _duration(span.seconds), _bar(offset, span.seconds, whole))
    return table


def as_dict(spans: Sequence[Span]) -> dict[str, object]:
    """One trace for machines; spans in the same order as in the drawing, with their depth."""
    began, whole = _extent(spans)
    return {
        "trace_id": spans[0].trace_id,
        "article_id": _first(spans, "key"),
        "revision": _first(spans, "revision"),
        "began": began.isoformat(),
        "seconds": whole,
        "workers": sorted({span.worker for span in spans}),
        "spans": [
            {
                "name": span.name,
                "worker": span.worker,
                "span_id": span.span_id,
                "parent_id": span.parent_id or None,
                "depth": depth,
                "began": span.began.isoformat(),
                "seconds": span.seconds,
                "failed": span.failed or None,
                "attributes": span.attributes,
            }
            for depth, span in in_order(spans)
        ],
    }


def _extent(spans: Sequence[Span]) -> tuple[datetime, float]:
    began = min(span.began for span in spans)
    return began, (max(span.ended for span in spans) - began).total_seconds()


def _first(spans: Sequence[Span], attribute: str) -> object:
    return next((span.attributes[attribute] for span in spans if attribute in span.attributes), None)


def _heading(spans: Sequence[Span]) -> str:
    _, whole = _extent(spans)
    revision = _first(spans, "revision")
    what = f"article {_first(spans, 'key')}" + (f", revision {revision}" if revision else "")
    return (
        f"{what}: {_duration(whole)} through {len({span.worker for span in spans})} workers\ntrace {spans[0].trace_id}"
    )


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds:.2f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _bar(offset: float, seconds: float, whole: float) -> str:
    scale = BAR / whole if whole else 0.0
    start = min(BAR - 1, int(offset * scale))
    return " " * start + "━" * max(1, min(BAR - start, round(seconds * scale)))
