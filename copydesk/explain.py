"""`copydesk explain`: the whole way of one article, for a person or as JSON."""

from __future__ import annotations

from datetime import datetime

import typer
from rich.text import Text
from rich.tree import Tree

from copydesk.console import console
from copydesk.explanation import Explanation, Judgement, Publication, Revision, Score, TitleWay, Unclear, explain
from infra.database import DatabaseUnusable, make_engine, migrate
from infra.settings import Settings

__all__ = ["Explanation", "Unclear", "draw", "explain", "run"]

SPLITS = {"train": "learned from it", "holdout": "kept it back to measure with"}
DIM, GOOD, BAD, QUOTE = "dim", "green", "yellow", "bold"


def run(settings: Settings, name: str, *, as_json: bool) -> int:
    """Print the explanation; 1 with a sentence on stderr where there is none."""
    try:
        engine = make_engine(settings)
        migrate(engine)
        explanation = explain(engine, name)
    except (Unclear, DatabaseUnusable) as error:
        typer.echo(str(error), err=True)
        return 1
    if as_json:
        typer.echo(explanation.model_dump_json(indent=2))
    else:
        console().print(draw(explanation))
    return 0


def draw(explanation: Explanation) -> Tree:
    """The explanation as a tree, oldest first; nothing a publisher wrote can move the cursor or change colours."""
    newest = explanation.revisions[-1]
    root = Tree(_line((_quoted(newest.headline), QUOTE), (f"  {explanation.source}, {explanation.language}", "")))
    root.add(_line(("article ", DIM), (str(explanation.article_id), "")))
    root.add(_line(("address ", DIM), (explanation.canonical_url, "")))
    root.add(_line(("feed    ", DIM), (explanation.feed_url, "")))
    for other in explanation.same_story:
        root.add(_line(("the same story at ", DIM), (f"{other.source}: {_quoted(other.headline)}  {other.url}", "")))
    for revision in explanation.revisions:
        _draw_revision(root, revision)
    return root


def _draw_revision(root: Tree, revision: Revision) -> None:
    size = f"{revision.characters:,} characters"
    branch = root.add(
        _line((f"revision {revision.revision}", QUOTE), (f", fetched {_at(revision.fetched_at)}, {size}", ""))
    )
    if revision.published_at:
        branch.add(_line(("the publisher dates it ", DIM), (_at(revision.published_at), "")))
    may = "models may learn from it: " if revision.training_allowed else "no model may learn from it: "
    branch.add(_line((may, DIM if revision.training_allowed else BAD), (revision.training_reason, "")))
    for title in revision.titles:
        _draw_title(branch, title)
    if not revision.titles:
        branch.add(_line(("no title yet", BAD)))


def _draw_title(branch: Tree, title: TitleWay) -> None:
    wording = _quoted(title.text) if title.text else "(no title)"
    node = branch.add(_line((wording, QUOTE), (f"  by model {title.model_version}, prompt {title.prompt_version}", "")))
    cost = f", ${title.cost_usd:.6f}" if title.cost_usd else ""
    tries = f", {title.attempts} requests" if title.attempts > 1 else ""
    tokens = f"{title.input_tokens} tokens in, {title.output_tokens} out"
    effort = f"{_at(title.written_at)}: {tokens}, {title.latency_seconds:.2f} s{tries}{cost}, base {title.base_model}"
    node.add(_line(("written ", DIM), (effort, "")))
    _draw_score(node, title.score)
    for judgement in title.judgements:
        _draw_judgement(node, judgement)
    if title.score and title.score.decision == "review" and not title.judgements:
        node.add(_line(("waits for a person at the desk", BAD)))
    for publication in title.publications:
        _draw_publication(node, publication)


def _draw_score(node: Tree, score: Score | None) -> None:
    if score is None:
        node.add(_line(("not scored yet", BAD)))
        return
    figures = ", ".join(
        f"{name} {value:.2f}"
        for name, value in (("precision", score.precision), ("recall", score.recall), ("F1", score.f1))
        if value is not None
    )
    verdict = ("publish", GOOD) if score.decision == "publish" else ("review", BAD)
    branch = node.add(_line(("scored ", DIM), (f"{_at(score.scored_at)}: {figures} → ", ""), verdict))
    for violation in score.violations:
        branch.add(_line((f"breaks {violation.rule}: ", BAD), (violation.reason, "")))
    for reason in score.review_reasons:
        branch.add(_line(("to review because ", DIM), (reason, "")))
    if score.evidence:
        branch.add(_line(("best evidence: ", DIM), (_quoted(score.evidence), "")))


def _draw_judgement(node: Tree, judgement: Judgement) -> None:
    who = f"{judgement.verdict} by {judgement.curator}"
    when = f" {_at(judgement.decided_at)}, after {judgement.seconds_spent:.0f} s at the desk"
    branch = node.add(_line((who, GOOD), (when, "")))
    if judgement.title_after != judgement.title_before:
        branch.add(_line(("before ", DIM), (_quoted(judgement.title_before), "")))
    if judgement.verdict == "corrected":
        branch.add(_line(("after  ", DIM), (_quoted(judgement.title_after), QUOTE)))
    if judgement.error_tags:
        branch.add(_line(("what was wrong: ", DIM), (", ".join(judgement.error_tags), "")))
    if judgement.note:
        branch.add(_line(("note: ", DIM), (judgement.note, "")))
    for training in judgement.trainings:
        did = SPLITS.get(training.split, training.split)
        run_line = f"training of {training.model_version}, {_at(training.started_at)} ({training.state}): "
        branch.add(_line((run_line, ""), (did, GOOD if training.split in SPLITS else BAD)))
    if not judgement.trainings:
        branch.add(_line(("no training has used it yet", DIM)))


def _draw_publication(node: Tree, publication: Publication) -> None:
    whose = {"approved": "approved by a person", "corrected": "a person's wording"}
    how = whose.get(publication.verdict or "", "as the model wrote it")
    node.add(_line(("published ", GOOD), (f"{_at(publication.published_at)}, {how}: {_quoted(publication.text)}", "")))


def _line(*pieces: tuple[str, str]) -> Text:
    line = Text()
    for words, style in pieces:
        line.append("".join(sign if sign.isprintable() else " " for sign in words), style=style)
    return line


def _quoted(words: str) -> str:
    return f"“{words}”"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
