"""A data set's articles with a teacher's titles, as a new data set. Interrupted in any way, it goes on where it was."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from editorial import prompts
from editorial.answers import clean
from editorial.embedding import Embedder
from editorial.similar import Curated, Shelf, shown
from infra.prices import Price
from infra.settings import Settings
from schemas.errors import Invalid
from training.dataset import SPLITS, TRAIN, Example, Snapshot, write_snapshot
from training.labels import CURATED, EMPTY, faults, in_order, labelled
from training.teacher.batches import Batches
from training.teacher.client import Options, Teacher
from training.teacher.job import Job, TeacherPrompt, Tell, Unlabelled, Watch, key_of
from training.teacher.ledger import Ledger, open_ledger
from training.teacher.single import Singles

FOLDER = "teacher"
WARN_DAYS = 60
"""A teacher that will be gone within this many days is warned about."""
NOT_ASKED = "not labelled: the budget was spent"
NO_ANSWER = "not labelled: no answer that can be read"


@dataclass(frozen=True)
class Order:
    """What a person asked for: which articles of a data set, by which model, asked how."""

    model: str
    prompt: TeacherPrompt
    price: Price | None
    splits: Sequence[str] = SPLITS
    skip: int = 0
    limit: int | None = None
    replace_curated: bool = False
    keep_faulty: bool = False
    examples: int = 0
    """So many similar articles of the training split, with their curators' titles, are shown with each one."""
    effort: str = "none"
    max_tokens: int = 64
    batch: bool = False
    budget: Decimal | None = None
    at_once: int = 8
    batch_size: int = 1000
    poll_s: float = 30.0
    pause_s: float = 1.0
    patience_s: float = 600.0

    def chosen(self, source: Snapshot) -> list[Example]:
        """The articles in an order that is the same every time and has nothing to do with what they say."""
        examples = in_order(one for split in SPLITS if split in self.splits for one in source.examples(split))
        return examples[self.skip : None if self.limit is None else self.skip + self.limit]


@dataclass(frozen=True)
class Outlook:
    """What is ahead: articles, requests, how many are answered already, and dollars; None where no price is known."""

    articles: int
    curated: int
    requests: int
    answered: int
    spent: Decimal
    expected: Decimal | None
    most: Decimal | None


@dataclass(frozen=True)
class Labelled:
    """The new data set (None where nothing is in it), and the account of it."""

    snapshot: Snapshot | None
    written: int
    kept: int
    spent: Decimal
    left_out: Counter[str] = field(default_factory=Counter)
    models: tuple[str, ...] = ()
    """What the teacher says it is: the dated name behind the one that was asked for."""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


def look_ahead(source: Snapshot, order: Order, settings: Settings) -> Outlook:
    """What the order will take; nothing is asked."""
    asked, keys, curated = _asked(source, order, settings)
    with open_ledger(_ledger_file(order, settings), asked) as ledger:
        left = {key: asked[key] for key in asked if key not in ledger.answers and key not in ledger.refused}
        job = _job(order, left)
        known = order.price is not None
        return Outlook(
            articles=len(keys) + curated,
            curated=curated,
            requests=len(asked),
            answered=len(asked) - len(left),
            spent=ledger.spent,
            expected=job.expected(batch=order.batch) if known else None,
            most=sum((job.most(key, batch=order.batch) for key in left), Decimal(0)) if known else None,
        )


def label(source: Snapshot, order: Order, settings: Settings, watch: Watch, tell: Tell) -> Labelled:
    """Ask for what has no answer yet, and write the data set of all that have one.

    Raises `Invalid` where there is nothing to label, `CannotLabel` when nothing goes on before a person has acted.
    """
    asked, keys, _ = _asked(source, order, settings)
    if not asked:
        raise Invalid(
            "there is nothing to label: all these articles have curators' titles (--replace-curated), or none fits"
        )
    with open_ledger(_ledger_file(order, settings), asked) as ledger:
        unlabelled = asyncio.run(_ask(_job(order, asked), order, settings, ledger, watch, tell))
        return _assemble(source, order, settings, keys, ledger, unlabelled)


async def _ask(job: Job, order: Order, settings: Settings, ledger: Ledger, watch: Watch, tell: Tell) -> Unlabelled:
    left = [key for key in job.asked if key not in ledger.answers and key not in ledger.refused]
    if not left and not ledger.batches:
        return Unlabelled()
    teacher = Teacher(settings)
    options = Options(order.model, order.max_tokens, order.effort, ledger.dropped)
    try:
        ends = await teacher.shutdown_date(order.model) or (order.price.shutdown if order.price else None)
        if warning := shutdown_warning(order.model, ends, datetime.now(UTC).date()):
            tell(warning)
        if order.batch or ledger.batches:
            if not ledger.answers and not ledger.batches and left:
                # one by itself: what the model does not take shows in a second instead of after a day
                await Singles(job, teacher, options, ledger, watch, tell).label(left[:1])
            batches = Batches(job, teacher, options, ledger, watch, tell)
            await batches.label([key for key in left if key not in ledger.answers] if order.batch else [])
            if order.batch:
                return batches.unlabelled
            left = [key for key in left if key not in ledger.answers and key not in ledger.refused]
        singles = Singles(job, teacher, options, ledger, watch, tell)
        await singles.label(left)
        return singles.unlabelled
    finally:
        await teacher.close()


def shutdown_warning(model: str, ends: date | None, today: date) -> str:
    """What a person should know about a teacher that goes away; empty if that is far off."""
    if ends is None or (ends - today).days > WARN_DAYS:
        return ""
    if ends < today:
        return f"{model} was to be shut down on {ends}: choose another teacher if it does not answer"
    return f"{model} will be shut down on {ends}, in {(ends - today).days} days: later labels will be another model's"


def _asked(source: Snapshot, order: Order, settings: Settings) -> tuple[dict[str, str], dict[str, str], int]:
    """Prompts by key, the key of every example, and how many keep their curator's title."""
    asked: dict[str, str] = {}
    keys: dict[str, str] = {}
    curated = 0
    similar_to = _similar(source, order, settings)
    for one in order.chosen(source):
        if one.origin in CURATED and not order.replace_curated:
            curated += 1
            continue
        prompt = order.prompt.render(one, settings.max_article_tokens, similar_to(one))
        key = keys[one.example_id] = key_of(prompt, order.model)
        asked[key] = prompt
    return asked, keys, curated


def _similar(source: Snapshot, order: Order, settings: Settings) -> Callable[[Example], Sequence[tuple[str, str]]]:
    """Finds the examples for an article. The data set decides: the same command asks the same questions again."""
    if not order.examples:
        return lambda one: ()
    if not order.prompt.shows_examples:
        raise Invalid(
            f"prompt {order.prompt.name} shows no examples: take {prompts.WITH_EXAMPLES}, or a file with {{examples}}"
        )
    embedder, shelf = Embedder(settings.threads), Shelf()
    curated = [one for one in source.examples(TRAIN) if one.origin in CURATED]
    for one, vector in zip(curated, embedder.embed([one.text for one in curated]), strict=True):
        shelf.put(Curated(one.article_id, one.story_id, one.text, one.title), vector)

    def find(one: Example) -> Sequence[tuple[str, str]]:
        vector = embedder.embed([one.text])[0]
        return shown(shelf.nearest(vector, order.examples, settings.examples_similarity, story_id=one.story_id))

    return find


def _job(order: Order, asked: dict[str, str]) -> Job:
    return Job(
        asked=asked,
        price=order.price or Price(input=Decimal(0), output=Decimal(0)),
        budget=order.budget,
        max_tokens=order.max_tokens,
        batch=order.batch,
        at_once=order.at_once,
        batch_size=order.batch_size,
        poll_s=order.poll_s,
        pause_s=order.pause_s,
        patience_s=order.patience_s,
    )


def _ledger_file(order: Order, settings: Settings) -> Path:
    """One for each way of asking: other limits or another server give other answers."""
    way = json.dumps([settings.teacher_url, order.model, order.prompt.words, order.effort, order.max_tokens])
    name = re.sub(r"[^\w.-]+", "_", order.model)[-60:].lstrip(".")
    return settings.home / FOLDER / f"{name}-{hashlib.sha256(way.encode()).hexdigest()[:16]}.jsonl"


def _assemble(
    source: Snapshot,
    order: Order,
    settings: Settings,
    keys: dict[str, str],
    ledger: Ledger,
    unlabelled: Unlabelled,
) -> Labelled:
    left_out: Counter[str] = Counter()
    written: list[Example] = []
    kept: list[Example] = []
    too_dear = set(unlabelled.too_dear)
    for one in order.chosen(source):
        key = keys.get(one.example_id)
        if key is None:
            kept.append(one)
        elif answer := ledger.answers.get(key):
            made = labelled(one, clean(answer.text), order.model, order.prompt.name)
            found = list(faults(made.title, one, keep_faulty=order.keep_faulty))
            if found:
                why = found[0]
                left_out[f"{why}: {answer.finish}" if why == EMPTY and answer.finish not in ("", "stop") else why] += 1
            else:
                written.append(replace(made, at=None))
        elif key in ledger.refused:
            left_out[f"the teacher refuses it: {ledger.refused[key][:120]}"] += 1
        else:
            left_out[NOT_ASKED if key in too_dear else NO_ANSWER] += 1
    facts = {
        "made_by": "label",
        "source": source.hash,
        "model": order.model,
        "prompt": order.prompt.words,
        "prompt_version": order.prompt.name,
        "spent_usd": str(ledger.spent),
        "left_out": dict(left_out),
    }
    if source.prompt_template:
        facts["prompt_template"] = source.prompt_template
    answers = ledger.answers.values()
    return Labelled(
        snapshot=write_snapshot([*kept, *written], settings.home, facts) if written or kept else None,
        written=len(written),
        kept=len(kept),
        spent=ledger.spent,
        left_out=left_out,
        models=tuple(sorted({answer.model for answer in answers if answer.model})),
        input_tokens=sum(answer.input_tokens for answer in answers),
        cached_tokens=sum(answer.cached_tokens for answer in answers),
        output_tokens=sum(answer.output_tokens for answer in answers),
    )
