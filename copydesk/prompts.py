"""`copydesk prompts`: the versions of the prompt, what differs between two, and what a model makes of them."""

from __future__ import annotations

import asyncio
import difflib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from copydesk.console import console, plain
from editorial import prompts
from editorial.cut import cut, estimate_tokens
from infra.settings import get_settings
from schemas.errors import Invalid

if TYPE_CHECKING:
    from workers.generator.engine import Answer, Engine

app = typer.Typer(help="Prompt versions: list, show, diff, try.", no_args_is_help=True)
AS_JSON = typer.Option(False, "--json", help="Print JSON.")
SEED = 1
IN_FLIGHT = 16


@dataclass(frozen=True)
class Tried:
    """A version's titles over the same articles. `kept` of them keep all house rules; `kept_after` with a firmer second
    try for the others, None where it was not asked for. Tokens are means per title.
    """

    version: str
    model: str
    titles: tuple[str, ...]
    kept: int
    kept_after: int | None
    input_tokens: float
    output_tokens: float


@app.command(name="list")
def list_versions(as_json: bool = AS_JSON) -> None:
    """All versions: what they are for, how long their fixed part is, and their hash."""
    rows = [
        {
            "version": version,
            "fixed_tokens": estimate_tokens(prompts.render(version, "")),
            "tells_rules": version in prompts.TELLS_RULES,
            "digest": prompts.digest(version),
        }
        for version in prompts.PROMPTS
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("version", "for", "fixed part, about", "sha256")
    for row in rows:
        whom = "models as they are" if row["tells_rules"] else "tuned models"
        table.add_row(str(row["version"]), whom, f"{row['fixed_tokens']} tokens", str(row["digest"])[:16])
    console().print(table)


@app.command()
def show(version: str) -> None:
    """The text of a version; {text} is where the article goes."""
    typer.echo(_text(version))


@app.command()
def diff(before: str, after: str) -> None:
    """What differs between two versions."""
    lines = difflib.unified_diff(_text(before).splitlines(), _text(after).splitlines(), before, after, lineterm="", n=2)
    typer.echo("\n".join(lines) or f"{before} and {after} are the same text")


@app.command(name="try")
def try_versions(
    versions: list[str] = typer.Argument(help="One version or several, to compare them."),
    model: str = typer.Option("", help="A name that the model server answers for; default: base, else the first."),
    articles: Path | None = typer.Option(
        None, help="JSONL file (.gz too) with title and text; default: the simulated press."
    ),
    limit: int = typer.Option(5, min=1, help="At most so many articles."),
    firmer: bool = typer.Option(False, "--firmer", help="Ask once more, firmly, where a house rule is broken."),
    as_json: bool = AS_JSON,
) -> None:
    """Ask the model server for titles with each version, over the same articles. Nothing is published."""
    for version in versions:
        _text(version)
    found = asyncio.run(_try(versions, model, _articles(articles, limit), firmer))
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False))
        return
    count = len(found[0].titles)
    if count <= 20:
        table = Table(*versions, show_lines=True)
        for titles in zip(*(one.titles for one in found), strict=True):
            table.add_row(*(plain(title or "(no title)") for title in titles))
        console().print(table)
    table = Table("version", "model", "keep all house rules", "after a firmer try", "tokens in", "tokens out")
    for one in found:
        after = "–" if one.kept_after is None else f"{one.kept_after / count:.0%}"
        kept = f"{one.kept / count:.0%} of {count}"
        table.add_row(one.version, one.model, kept, after, f"{one.input_tokens:.0f}", f"{one.output_tokens:.1f}")
    console().print(table)


def _text(version: str) -> str:
    if version not in prompts.PROMPTS:
        raise Invalid(f"there is no prompt {version!r}; there are {', '.join(prompts.PROMPTS)}")
    return prompts.PROMPTS[version]


def _articles(path: Path | None, limit: int) -> list[str]:
    from infra.newsroom.archive import read_archive
    from infra.newsroom.stories import write_story

    if path is None:
        return [write_story(SEED, number).text for number in range(limit)]
    return [one.text for one in read_archive(path, limit)]


async def _try(versions: Sequence[str], model: str, articles: Sequence[str], firmer: bool) -> list[Tried]:
    from workers.generator.engine import Engine

    settings = get_settings()
    texts = [cut(article, settings.max_article_tokens) for article in articles]
    engine = Engine(settings)
    try:
        known = await engine.loaded()
        name = model or ("base" if "base" in known else min(known, default=""))
        if name not in known:
            raise Invalid(
                f"the model server does not answer for {name!r}; it knows {', '.join(sorted(known)) or 'none'}"
            )
        return [await _tried(engine, version, name, texts, firmer) for version in versions]
    finally:
        await engine.close()


async def _tried(engine: Engine, version: str, model: str, texts: Sequence[str], firmer: bool) -> Tried:
    from editorial import rules
    from editorial.answers import clean

    room = asyncio.Semaphore(IN_FLIGHT)

    async def ask(prompt: str) -> Answer:
        async with room:
            return await engine.complete(model, prompt)

    answers = await asyncio.gather(*(ask(prompts.render(version, text)) for text in texts))
    titles = [clean(answer.text) for answer in answers]
    broken = [rules.check(title, text) for title, text in zip(titles, texts, strict=True)]
    kept, kept_after = sum(not one for one in broken), None
    if firmer:
        again = [
            prompts.firmer(prompts.render(version, text), title, [violation.reason for violation in found])
            for text, title, found in zip(texts, titles, broken, strict=True)
            if found
        ]
        bad = [text for text, found in zip(texts, broken, strict=True) if found]
        second = await asyncio.gather(*(ask(prompt) for prompt in again))
        answers += second
        mended = sum(not rules.check(clean(answer.text), text) for answer, text in zip(second, bad, strict=True))
        kept_after = kept + mended
    return Tried(
        version=version,
        model=model,
        titles=tuple(titles),
        kept=kept,
        kept_after=kept_after,
        input_tokens=sum(answer.input_tokens for answer in answers) / len(texts),
        output_tokens=sum(answer.output_tokens for answer in answers) / len(texts),
    )
