"""`copydesk curate`: a teacher's titles go to the desk, and what the curators made of them is counted."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from copydesk.console import console
from infra.settings import Settings, get_settings
from schemas.errors import Invalid

if TYPE_CHECKING:  # imported inside the commands: `--help` answers at once
    from training.dataset import Example, Snapshot

app = typer.Typer(help="Teachers' titles: to the desk, and what curators made of them.", no_args_is_help=True)
DATASET = typer.Argument(help="A data set of `copydesk label`: its name, its hash, or its folder.")
_AT_ONCE = 64


@app.command()
def send(
    dataset: str = DATASET,
    limit: int = typer.Option(400, min=1, help="So many titles: the first ones that `copydesk label --limit` takes."),
    skip: int = typer.Option(0, min=0, help="Leave out so many first."),
) -> None:
    """Put a teacher's titles on the desk. Sent again they are the same titles, and verdicts on them stay."""
    from training.dataset import load_snapshot

    settings = get_settings()
    snapshot = load_snapshot(settings.home, dataset)
    chosen = _chosen(snapshot, skip, limit)
    new = _send(settings, chosen, datetime.fromisoformat(str(snapshot.manifest["created_at"])))
    typer.echo(f"{len(chosen):,} titles wait on the desk, {new:,} of them over articles that the newsroom did not have")


@app.command()
def report(
    dataset: str = DATASET,
    limit: int = typer.Option(400, min=1, help="Of so many titles, the first ones."),
    skip: int = typer.Option(0, min=0, help="Leave out so many first."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Count how many titles needed no correction, and what was wrong with the others."""
    from sqlmodel import Session, select

    from copydesk.curation import count
    from editorial.tags import TAGS
    from infra.database import make_engine, migrate
    from schemas.records import CorrectionRow
    from training.dataset import load_snapshot

    settings = get_settings()
    engine = make_engine(settings)
    migrate(engine)
    with Session(engine) as session:
        found = count(_chosen(load_snapshot(settings.home, dataset), skip, limit), session.exec(select(CorrectionRow)))
    if as_json:
        facts = {
            "titles": found.titles,
            "judged": found.judged,
            "verdicts": dict(found.by_verdict),
            "share_fit": found.share_fit,
            "interval": found.interval,
            "tags": dict(found.by_tag),
        }
        typer.echo(json.dumps(facts, indent=2))
        return
    if found.share_fit is None or found.interval is None:
        typer.echo(f"none of the {found.titles:,} titles is judged yet: `copydesk curate send` puts them on the desk")
        return
    low, high = found.interval
    typer.echo(
        f"{found.judged:,} of {found.titles:,} titles are judged; {found.share_fit:.1%} needed no correction "
        f"(of all such titles {low:.1%} to {high:.1%})"
    )
    if found.by_tag:
        table = Table("what was wrong", "titles", "which means: the title …")
        for tag, number in found.by_tag.most_common():
            table.add_row(tag, f"{number:,}", TAGS.get(tag, ""))
        console().print(table)


def _chosen(snapshot: Snapshot, skip: int, limit: int) -> list[Example]:
    from training.dataset import SPLITS, Origin
    from training.labels import in_order

    examples = in_order(one for split in SPLITS for one in snapshot.examples(split))
    chosen = [one for one in examples if one.origin is Origin.teacher][skip : skip + limit]
    if not chosen:
        raise Invalid("there is no teacher's title among them: `copydesk label` makes some")
    return chosen


def _send(settings: Settings, examples: list[Example], at: datetime) -> int:
    """How many articles were new to the newsroom."""
    from sqlmodel import Session

    from copydesk.curation import for_review, title
    from editorial.bertscore import Scorer
    from editorial.scoring import with_second_opinion
    from infra.database import make_engine, migrate
    from infra.kafka import create_topics, make_producer, send_acked
    from schemas.envelope import encode
    from schemas.records import ArticleRow
    from schemas.topics import ARTICLES, REVIEW
    from workers.scorer.judgement import judge
    from workers.scorer.policies import Policies

    engine = make_engine(settings)
    migrate(engine)
    with Session(engine) as session:
        known = {one.example_id for one in examples if session.get(ArticleRow, (one.article_id, one.revision))}
    create_topics(settings)
    scorer = with_second_opinion(Scorer(settings.scorer_model, settings.threads), settings.second_opinion_model)
    policies = Policies(settings, scorer.hash)
    producer = make_producer(settings, "copydesk-curate")
    try:
        for start in range(0, len(examples), _AT_ONCE):
            part = examples[start : start + _AT_ONCE]
            titles = [title(one, at) for one in part]
            new = [made.article for made, one in zip(titles, part, strict=True) if one.example_id not in known]
            scored = [for_review(one) for one in judge(titles, scorer, policies.of, audit_share=0.0)]
            pairs = [(ARTICLES, encode(one, source="curate", time=at)) for one in new]
            send_acked(producer, [*pairs, *((REVIEW, encode(one, source="curate", time=at)) for one in scored)])
    finally:
        producer.close()
    return len(examples) - len(known)
