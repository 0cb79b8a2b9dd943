"""What was spent: on titles, by their own account in the database, and on labels, by the teachers' ledgers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select
from sqlmodel import col

from infra.database import make_engine, migrate
from infra.settings import Settings
from schemas.records import TitleRow


@dataclass(frozen=True)
class Spent:
    """The titles of one model version under one prompt."""

    model_version: str
    prompt_version: str
    titles: int
    input_tokens: int
    output_tokens: int
    seconds: float
    usd: float


def titles(settings: Settings) -> list[Spent]:
    """The dearest first."""
    engine = make_engine(settings)
    migrate(engine)
    query = (
        select(
            col(TitleRow.model_version),
            col(TitleRow.prompt_version),
            func.count(),
            func.sum(col(TitleRow.input_tokens)),
            func.sum(col(TitleRow.output_tokens)),
            func.sum(col(TitleRow.latency_seconds)),
            func.sum(col(TitleRow.cost_usd)),
        )
        .group_by(col(TitleRow.model_version), col(TitleRow.prompt_version))
        .order_by(func.sum(col(TitleRow.cost_usd)).desc(), func.count().desc())
    )
    with engine.connect() as connection:
        return [
            Spent(version, prompt, number, int(read), int(written), float(seconds), float(usd))
            for version, prompt, number, read, written, seconds, usd in connection.execute(query)
        ]


def labels(settings: Settings) -> dict[str, Decimal]:
    """Dollars by teacher; what was lost on the way counts at the most it can have cost."""
    from training.teacher.ledger import spent_in

    found: dict[str, Decimal] = {}
    for path in sorted((settings.home / "teacher").glob("*.jsonl")):
        name = path.stem.rpartition("-")[0]
        found[name] = found.get(name, Decimal(0)) + spent_in(path)
    return {name: dollars for name, dollars in found.items() if dollars}
