"""`copydesk quality`: how good the flagger is by its own account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from infra.settings import get_settings

if TYPE_CHECKING:
    from editorial.quality import Share
    from workers.desk.quality import QualityReport


def quality(
    days: int = typer.Option(30, min=1, help="Titles scored in so many days."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Tell how many of the flagged titles are wrong and how many wrong ones get through, and what has shifted."""
    from sqlmodel import Session

    from infra.database import make_engine, migrate
    from workers.desk.quality import report

    engine = make_engine(get_settings())
    migrate(engine)
    with Session(engine) as session:
        found = report(session, datetime.now(UTC), days)
    typer.echo(found.model_dump_json(indent=1) if as_json else in_words(found))


def in_words(found: QualityReport) -> str:
    """The report as lines for a person."""
    flagger, counts = found.flagger, found.flagger.counts
    lines = [
        f"{counts.flagged + counts.unflagged} titles since {found.since:%d %b %Y}, {counts.flagged} of them flagged",
        f"flagged rightly        {_share(flagger.precision)}"
        f"  ({counts.flagged_corrected} corrected of {counts.flagged_judged} judged)",
        f"not flagged, yet wrong {_share(flagger.missed)}"
        f"  ({counts.audited_corrected} corrected of {counts.audited} in the random sample)",
        f"wrong ones found       {_share(flagger.recall)}",
    ]
    lines += [
        f"told {bin.told:.0%}: corrected {_share(bin.corrected)}  ({bin.judged} judged)" for bin in found.calibration
    ]
    lines += [shift.words for shift in found.shifts] or ["no source's scores have shifted"]
    lines += [
        f"{row.model_version}: {row.copied:.0%} copied in one stretch, {row.novel:.0%} new pairs of words"
        f" ({row.titles} titles)"
        for row in found.wording
    ]
    return "\n".join(lines)


def _share(found: Share | None) -> str:
    return f"{found.estimate:.0%}, between {found.low:.0%} and {found.high:.0%}" if found else "nobody can tell yet"
