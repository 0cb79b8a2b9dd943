"""Reads a story back: what a person learns from the text alone, found with the templates it was written from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from infra.newsroom.stories import body, words
from infra.newsroom.stories.kinds import KINDS_BY_NAME
from infra.newsroom.stories.story import Story, titles_for

_NAME = r"[A-Z][a-z]+ (?:[A-Z][a-z]+|[2-9])(?![A-Za-z0-9])"


def read_story(text: str) -> Story | None:
    """Kind, names and titles of an article of the simulated press; None for any other text.

    White space is free, so that a text that went through a page and an extractor still reads. `headline` is empty.
    """
    flat = re.sub(r"\s+", " ", text).strip()
    found = [(match.start(), kind, match) for kind, pattern in _lead_patterns() if (match := pattern.search(flat))]
    if not found:
        return None
    _, kind, match = min(found, key=lambda hit: hit[0])
    facts = {name: value for name, value in match.groupdict().items() if value}
    topic = facts.pop("subject", "") or facts.pop("subject_start", "")
    tail = facts.pop("tail", "")
    if topic:
        facts["topic"] = topic[0].lower() + topic[1:]
    if kind == "compilation":
        tools = [tool for pattern in _first_tool_patterns() if (tool := pattern.search(flat))]
        if not tools:
            return None
        facts["product"] = tools[0]["product"]
    titles = titles_for(kind, facts, match[0], tail, opens_with_quote=flat[0] in '"\u201c')
    return Story(
        kind=kind,
        headline="",
        text=text,
        names=tuple(facts[name] for name in KINDS_BY_NAME[kind].names),
        careless_title=titles.careless,
        house_title=titles.house,
        flaws=titles.flaws,
        facts=facts,
    )


@cache
def _lead_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((kind, _pattern(lead)) for kind, spec in KINDS_BY_NAME.items() for lead in spec.leads)


@cache
def _first_tool_patterns() -> tuple[re.Pattern[str], ...]:
    return tuple(_pattern(sentence) for sentence in body.FIRST_TOOL)


def _pattern(template: str) -> re.Pattern[str]:
    """A regular expression with one named group per slot; a slot's second use must repeat the first."""
    seen: set[str] = set()
    parts = []
    for piece in re.split(r"(\{\w+\})", template):
        name = piece[1:-1]
        if not piece.startswith("{"):
            parts.append(re.escape(piece))
        elif name in seen:
            parts.append(f"(?P={name})")
        else:
            seen.add(name)
            parts.append(_slot(name))
    return re.compile("".join(parts))


def _slot(name: str) -> str:
    if name == "tail":
        return r"(?P<tail>, [^.]*)?"
    if name in ("subject", "subject_start"):
        topics = (*words.TOPICS, *words.ACRONYMS)
        spelled = [topic[0].upper() + topic[1:] for topic in topics] if name == "subject_start" else topics
        return rf"(?P<{name}>{_any_of(spelled)})(?: \((?P<short_form>[A-Z]+)\))?"
    values = _CLOSED.get(name)
    if values is not None:
        return f"(?P<{name}>{_any_of(values)})"
    if name in ("amount", "size", "count", "n"):
        return rf"(?P<{name}>\d+)"
    return rf"(?P<{name}>\d+\.\d)" if name == "score" else f"(?P<{name}>{_NAME})"


def _any_of(values: Iterable[str]) -> str:
    return "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))


_CLOSED: dict[str, tuple[str, ...]] = {
    "users": words.USERS,
    "quality": words.QUALITIES,
    "items": words.ITEMS,
    "round": words.ROUNDS,
    "region": words.REGIONS,
    "law": words.LAWS,
    "flaw": words.FLAWS,
    "day": words.DAYS,
    "city": words.CITIES,
}
