"""`copydesk score`: what the scorer would say of the titles in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer
from pydantic import BaseModel, ConfigDict, ValidationError

from infra.settings import Settings, get_settings
from schemas.errors import Mendable

if TYPE_CHECKING:  # torch stays out of `--help`
    from editorial.bertscore import Score
    from editorial.flagger import Policy
    from editorial.scoring import TitleScorer

_AT_ONCE = 64
_LONGEST_LINE = 10_000_000
"""Characters; a longer line is skipped with an error, so that none fills the memory."""


class CannotScore(Mendable):
    """The file cannot be read, or some of its lines could not be scored."""


class Row(BaseModel):
    """One line of the file; further fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    id: str = ""
    title: str
    text: str
    reference: str = ""
    language: str = "en"
    published: tuple[str, ...] = ()


Answer = dict[str, Any]


def score(
    file: Path = typer.Argument(help="JSONL: title, text; if wanted id, reference, language, published; `-`: stdin."),
    version: str = typer.Option("", help="Judge as titles of this model version are judged; default: as new ones."),
    as_json: bool = typer.Option(False, "--json", help="A line of JSON per title, with all that is known of it."),
) -> None:
    """Score titles against their articles: support, house rules, and whether a person should look.

    A line that cannot be scored is answered with its number and what is wrong with it; the exit status is then 1.
    """
    settings = get_settings()
    wrong = 0
    try:
        source = nullcontext(sys.stdin) if str(file) == "-" else file.open(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise CannotScore(f"cannot read {file}: {error.strerror}") from error
    with source as lines:
        for answer in answers(lines, settings, version):
            wrong += "error" in answer
            # escapes what is no character: half a surrogate pair can be scored, but not be written
            typer.echo(json.dumps(answer) if as_json else _words(answer).encode("utf-8", "replace").decode())
    if wrong:
        raise CannotScore(f"{wrong} lines of {file} could not be scored; each says why")


def answers(
    lines: IO[str], settings: Settings, version: str = "", longest_line: int = _LONGEST_LINE
) -> Iterator[Answer]:
    """One answer per line, in order; a file larger than the memory will do."""
    from editorial.bertscore import Scorer
    from editorial.scoring import with_second_opinion
    from workers.scorer.policies import Policies

    scorer = with_second_opinion(Scorer(settings.scorer_model, settings.threads), settings.second_opinion_model)
    policy = Policies(settings, scorer.hash).of(version)
    numbered = enumerate(_lines(lines, longest_line), 1)
    while chunk := list(islice(numbered, _AT_ONCE)):
        rows = [_row(line, number) for number, line in chunk]
        judged = iter(_judge([row for row in rows if isinstance(row, Row)], scorer, policy))
        yield from (next(judged) if isinstance(row, Row) else row for row in rows)


def _judge(rows: Sequence[Row], scorer: TitleScorer, policy: Policy) -> list[Answer]:
    from editorial import flagger, rules

    scores = scorer.score([row.title for row in rows], [row.text for row in rows])
    compared = scorer.score([row.title for row in rows], [row.reference for row in rows])
    found: list[Answer] = []
    for row, of_article, of_reference in zip(rows, scores, compared, strict=True):
        violations = rules.check(row.title, row.text, row.language, learned=policy.learned, published=row.published)
        decision = flagger.decide(row.title, row.text, of_article, violations, policy, audit_draw=False)
        found.append(
            {
                "id": row.id,
                "title": row.title,
                **_figures(of_article),
                "evidence": of_article.evidence,
                **({"entailed": of_article.entailed} if of_article.entailed is not None else {}),
                "weakest_word": asdict(of_article.weakest) if of_article.weakest else None,
                "rules": [violation.model_dump() for violation in violations],
                "probability": decision.probability,
                "decision": "publish" if decision.publish else "review",
                "reasons": decision.reasons,
                "scorer": scorer.hash,
                **({"reference": _figures(of_reference)} if row.reference.strip() else {}),
            }
        )
    return found


def _lines(lines: IO[str], longest: int) -> Iterator[str | None]:
    """The lines with something in them; None stands for one that is too long, which is read past."""
    while line := lines.readline(longest):
        if line.endswith("\n") or len(line) < longest:
            if line.strip():
                yield line
            continue
        while line and not line.endswith("\n"):
            line = lines.readline(longest)
        yield None


def _row(line: str | None, number: int) -> Row | Answer:
    if line is None:
        return {"line": number, "error": "the line is too long"}
    try:
        return Row.model_validate(json.loads(line))
    except ValidationError as error:
        fault = error.errors()[0]
        return {"line": number, "error": f"{'.'.join(map(str, fault['loc'])) or 'the line'}: {fault['msg']}"}
    except ValueError as error:
        return {"line": number, "error": f"not JSON: {error}"}


def _figures(score: Score) -> dict[str, float]:
    return {name: round(getattr(score, name), 6) for name in ("precision", "recall", "f1")}


def _words(answer: Answer) -> str:
    if "error" in answer:
        return f"line {answer['line']}: {answer['error']}"
    why = "".join(f"\n    {reason}" for reason in answer["reasons"])
    return f"{answer['decision']:7}  {answer['precision']:.3f}  {answer['title'].strip()}{why}"
