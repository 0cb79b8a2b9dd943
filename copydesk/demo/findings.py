"""Puts the demo's outcome together from the count of the topics and from the database."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from copydesk.demo.census import Census
from copydesk.demo.outcome import Outcome, Pair, Stage
from copydesk.demo.report import address
from copydesk.demo.snapshot import champion_of, last_run
from schemas.records import AdapterRow, ArticleRow, FeedItemRow, ScoreRow, TitleRow

PAIRS_SHOWN = 6


def gather(
    engine: Engine,
    counted: Census,
    *,
    home: Path,
    champion_before: str,
    restarts: dict[str, int],
    memory_peak_mb: int,
    desk_ready_seconds: float,
    seconds: float,
    desk: str,
) -> Outcome:
    """The outcome of one demo run."""
    with Session(engine) as session:
        champion = champion_of(session)
        run = last_run(session)
        failed = _failed_requests(session, champion if champion and champion.previous_version else None)
        stages = _stages(session)
    champion_after = champion.model_version if champion else champion_before
    report = run.gate_report if run else {}
    holdout = {side: report[side] for side in ("before", "after")} if "before" in report else None
    slowest = min(stages, key=lambda stage: stage.per_second, default=None)
    return Outcome(
        articles=counted.articles,
        titles=counted.titles,
        published=counted.published,
        in_review=counted.in_review,
        corrections=counted.corrections,
        dead_letters=counted.dead_letters,
        lost=counted.lost,
        duplicates=counted.duplicates,
        failed_requests=failed,
        champion_before=champion_before,
        champion_after=champion_after,
        holdout=holdout,
        gate=run.explanation if run else "",
        pairs=_pairs(report),
        stages=stages,
        articles_per_second=round(stages[-1].per_second, 2) if stages else 0.0,
        slowest_stage=slowest.name if slowest else "",
        restarts=restarts,
        memory_peak_mb=memory_peak_mb,
        desk_ready_seconds=round(desk_ready_seconds, 1),
        seconds=round(seconds, 1),
        desk=desk,
        report=address(home),
    )


def items_handled(engine: Engine) -> int:
    """Feed items that the scraper is done with, or has tried at least once; 0 while any waits for its first try."""
    with Session(engine) as session:
        items = select(func.count()).select_from(FeedItemRow)
        waiting = session.exec(items.where(FeedItemRow.outcome == "waiting", FeedItemRow.attempts == 0)).one()
        return 0 if waiting else session.exec(items).one()


def _failed_requests(session: Session, swap: AdapterRow | None) -> int:
    """Requests that failed for titles written since the swap was decided (all titles when there was none)."""
    rows = select(func.coalesce(func.sum(TitleRow.attempts - 1), 0))
    if swap:
        rows = rows.where(TitleRow.written_at >= swap.decided_at)
    return int(session.exec(rows).one())


def _pairs(report: dict[str, list[dict[str, str | list[str]]]]) -> tuple[Pair, ...]:
    """The pairs that changed, those first in which an error went away; one of each kind before a second of any."""
    changed = [pair for pair in report.get("pairs", []) if pair["before"] != pair["after"]]
    changed.sort(key=lambda pair: (bool(pair["tags_after"]), not pair["tags_before"]))
    shown: list[dict[str, str | list[str]]] = []
    for fresh_only in (True, False):
        for pair in changed:
            seen = {str(other["tags_before"]) for other in shown}
            if pair not in shown and not (fresh_only and str(pair["tags_before"]) in seen):
                shown.append(pair)
    return tuple(
        Pair(
            before=str(pair["before"]),
            after=str(pair["after"]),
            tags_before=tuple(pair["tags_before"]),
            tags_after=tuple(pair["tags_after"]),
        )
        for pair in shown[:PAIRS_SHOWN]
    )


def _stages(session: Session) -> tuple[Stage, ...]:
    """Speed of scraper, generator and scorer, and how long an article waited for each (median seconds)."""
    rows = session.exec(
        select(ArticleRow.fetched_at, TitleRow.written_at, ScoreRow.scored_at)
        .join(
            TitleRow, (col(TitleRow.article_id) == ArticleRow.article_id) & (TitleRow.revision == ArticleRow.revision)
        )
        .join(ScoreRow, col(ScoreRow.title_id) == TitleRow.title_id)
    ).all()
    if len(rows) < 2:
        return ()
    fetched, written, scored = (sorted(times) for times in zip(*rows, strict=True))
    waits = {
        "scraper": [0.0],
        "generator": [(title - article).total_seconds() for article, title, _ in rows],
        "scorer": [(score - title).total_seconds() for _, title, score in rows],
    }
    return tuple(
        Stage(
            name=name,
            per_second=round((len(rows) - 1) / max((times[-1] - times[0]).total_seconds(), 1e-3), 2),
            wait_seconds_median=round(median(waits[name]), 2),
        )
        for name, times in (("scraper", fetched), ("generator", written), ("scorer", scored))
    )
