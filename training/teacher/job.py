"""What is asked of a teacher: a prompt for each article, what it can cost, and how much may be spent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from editorial import prompts
from editorial.cut import cut
from infra.prices import Price
from schemas.errors import Invalid
from training.dataset import Example
from training.dataset import template as templates
from training.teacher.client import Reply
from training.teacher.ledger import Answered

ROOM = 64
"""Tokens that a chat's own marks take at most."""
USUAL_BYTES_PER_TOKEN = 4.5
"""Of English news with a large vocabulary; only for the expected price, never for the budget."""
USUAL_TITLE_TOKENS = 16
Watch = Callable[[int, Decimal], None]
"""Hears how many articles are labelled and what that has cost."""
Tell = Callable[[str], None]
"""Hears what a person should know while it runs."""


@dataclass(frozen=True)
class TeacherPrompt:
    """A prompt by its name and its words. `{text}` stands for the article."""

    name: str
    words: str
    columns: bool
    """Whether further `{columns}` are filled in, and `{{` is a brace: so in a file, not in Copydesk's own versions."""

    @property
    def shows_examples(self) -> bool:
        """Whether it has a place for similar articles with their titles."""
        return "{examples}" in self.words

    def render(self, example: Example, max_article_tokens: int, similar: Sequence[tuple[str, str]] = ()) -> str:
        """The prompt for one article, which is cut to so many tokens, with `similar` ones and their titles."""
        text = cut(example.text, max_article_tokens)
        if not self.columns:
            return prompts.render(self.name, text, similar)
        columns = {**example.columns, "text": text, "source": example.source, "language": example.language}
        if self.shows_examples:
            columns["examples"] = prompts.listed(similar)
        return templates.fill(self.words, columns, example.example_id)


def find_prompt(words: str) -> TeacherPrompt:
    """A version of `editorial.prompts`, or `@FILE`; a file's prompt is named by file and content. Raises `Invalid`."""
    if not words.startswith("@"):
        if words not in prompts.PROMPTS:
            raise Invalid(f"no prompt {words!r}; there are {', '.join(prompts.PROMPTS)}, or @FILE with a text of yours")
        return TeacherPrompt(words, prompts.PROMPTS[words], columns=False)
    path = Path(words[1:])
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise Invalid(f"the prompt {path} cannot be read: {error}") from error
    if "text" not in templates.placeholders(text):
        raise Invalid(f"the prompt {path} shows no article: it needs {{text}}")
    return TeacherPrompt(f"{path.stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}", text, columns=True)


@dataclass(frozen=True)
class Job:
    """The prompts by their keys, in the order in which they are asked. `budget` None: spend what it takes."""

    asked: Mapping[str, str]
    price: Price
    budget: Decimal | None
    max_tokens: int
    batch: bool = False
    at_once: int = 8
    batch_size: int = 1000
    attempts: int = 5
    poll_s: float = 30.0
    pause_s: float = 1.0
    """The first pause after trouble; it doubles."""
    patience_s: float = 600.0
    """So long nothing but trouble, and it ends."""

    def most(self, key: str, *, batch: bool) -> Decimal:
        """What this request can cost at most: no tokenizer makes more tokens than there are bytes."""
        return self.price.usd(len(self.asked[key].encode()) + ROOM, self.max_tokens, batch=batch)

    def expected(self, *, batch: bool) -> Decimal:
        """What all of it will roughly cost, when nothing has to be asked twice."""
        tokens = sum(len(prompt.encode()) for prompt in self.asked.values()) / USUAL_BYTES_PER_TOKEN
        return self.price.usd(
            int(tokens) + ROOM // 8 * len(self.asked), USUAL_TITLE_TOKENS * len(self.asked), batch=batch
        )

    def answered(self, key: str, reply: Reply, *, batch: bool, chunk: str = "") -> Answered:
        """The ledger's line for a reply. One that does not say what it used is taken to have used all it could."""
        input_tokens, output_tokens = reply.input_tokens, reply.output_tokens
        known = input_tokens is not None and output_tokens is not None
        usd = (
            self.price.usd(input_tokens or 0, output_tokens or 0, reply.cached_tokens, batch=batch)
            if known
            else self.most(key, batch=batch)
        )
        return Answered(
            key=key,
            text=reply.text,
            model=reply.model,
            finish=reply.finish,
            input_tokens=input_tokens or 0,
            cached_tokens=reply.cached_tokens,
            output_tokens=output_tokens or 0,
            usd=usd,
            chunk=chunk,
        )


@dataclass
class Unlabelled:
    """What was not labelled this time, and why; the next run asks again."""

    too_dear: list[str] = field(default_factory=list)
    given_up: dict[str, str] = field(default_factory=dict)


def key_of(prompt: str, model: str) -> str:
    """The id of a request: the same article with the same prompt for the same model has the same."""
    return hashlib.sha256(json.dumps([model, prompt]).encode()).hexdigest()[:40]
