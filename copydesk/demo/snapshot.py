"""What the live view shows, read from the database: a projection, a moment behind the topics."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Engine, case
from sqlmodel import Session, col, func, select

from schemas.records import (
    AdapterRow,
    ArticleRow,
    CorrectionRow,
    PublicationRow,
    ScoreRow,
    TitleRow,
    TrainingRunRow,
)


@dataclass(frozen=True)
class Latest:
    """One judged title, newest first in `Snapshot.latest`."""

    text: str
    model_version: str
    decision: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class VersionTally:
    """How one model version does on live articles."""

    model_version: str
    titles: int
    flagged: int
    precision_mean: float


@dataclass(frozen=True)
class Snapshot:
    """Counts at one moment."""

    articles: int = 0
    titles: int = 0
    scored: int = 0
    published: int = 0
    in_review: int = 0
    corrections: int = 0
    corrected: int = 0
    champion: str = ""
    champion_previous: str = ""
    run_state: str = ""
    run_explanation: str = ""
    runs_finished: int = 0
    by_version: tuple[VersionTally, ...] = ()
    latest: tuple[Latest, ...] = field(default=())

    def titles_by(self, version: str) -> int:
        """Titles that were judged of one version."""
        return sum(tally.titles for tally in self.by_version if tally.model_version == version)


def look(engine: Engine, latest: int = 8) -> Snapshot:
    """One consistent look. Raises what SQLAlchemy raises when the database is away."""
    with Session(engine) as session:
        judged = select(CorrectionRow.title_id)
        waiting = (col(ScoreRow.decision) == "review") & col(ScoreRow.title_id).not_in(judged)
        champion = champion_of(session)
        run = last_run(session)
        tallies = session.exec(
            select(
                ScoreRow.model_version,
                func.count(),
                func.sum(case((col(ScoreRow.decision) == "review", 1), else_=0)),
                func.avg(ScoreRow.precision),
            )
            .group_by(ScoreRow.model_version)
            .order_by(func.min(ScoreRow.scored_at))
        ).all()
        rows = session.exec(select(ScoreRow).order_by(col(ScoreRow.scored_at).desc()).limit(latest)).all()
        return Snapshot(
            articles=session.exec(select(func.count()).select_from(ArticleRow)).one(),
            titles=session.exec(select(func.count()).select_from(TitleRow)).one(),
            scored=session.exec(select(func.count()).select_from(ScoreRow)).one(),
            published=session.exec(select(func.count(func.distinct(PublicationRow.title_id)))).one(),
            in_review=session.exec(select(func.count()).select_from(ScoreRow).where(waiting)).one(),
            corrections=session.exec(select(func.count()).select_from(CorrectionRow)).one(),
            corrected=session.exec(
                select(func.count()).select_from(CorrectionRow).where(CorrectionRow.verdict == "corrected")
            ).one(),
            champion=champion.model_version if champion else "",
            champion_previous=(champion.previous_version or "") if champion else "",
            run_state=run.state if run else "",
            run_explanation=run.explanation if run else "",
            runs_finished=session.exec(
                select(func.count()).select_from(TrainingRunRow).where(col(TrainingRunRow.finished_at).is_not(None))
            ).one(),
            by_version=tuple(
                VersionTally(version, count, int(flagged or 0), float(precision or 0.0))
                for version, count, flagged, precision in tallies
            ),
            latest=tuple(Latest(row.text, row.model_version, row.decision, tuple(row.review_reasons)) for row in rows),
        )


def champion_of(session: Session) -> AdapterRow | None:
    """The champion as it was last announced."""
    rows = select(AdapterRow).where(AdapterRow.alias == "champion")
    return session.exec(rows.order_by(col(AdapterRow.sequence).desc())).first()


def last_run(session: Session) -> TrainingRunRow | None:
    """The training run that started last."""
    return session.exec(select(TrainingRunRow).order_by(col(TrainingRunRow.started_at).desc())).first()
