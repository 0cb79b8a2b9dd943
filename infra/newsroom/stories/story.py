"""A story, and the two titles that follow from it: pure functions of what the text says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.newsroom.stories.kinds import KINDS_BY_NAME

TITLE_LIMIT = 60  # characters


@dataclass(frozen=True)
class Story:
    """One article of the simulated press, with what a careful reader knows about it."""

    kind: str
    headline: str  # what the publisher prints over it; empty when the story was read from its text alone
    text: str  # paragraphs separated by an empty line
    names: tuple[str, ...]  # names and numbers that a right title must carry
    careless_title: str  # what somebody writes who takes the first words that come
    house_title: str  # what a curator of this house writes: keeps every house rule
    flaws: frozenset[str]  # error tags that the careless title earns; empty: it equals the house title
    facts: Mapping[str, str] = field(compare=False, repr=False, default_factory=dict)  # slot of a template -> value


@dataclass(frozen=True)
class Titles:
    """Both titles of one article and the error tags of the careless one."""

    careless: str
    house: str
    flaws: frozenset[str]


def titles_for(kind: str, facts: Mapping[str, str], lead: str, tail: str, opens_with_quote: bool) -> Titles:
    """The titles that an article earns by its own features.

    Every mistake of the careless hand has its cause in the text, so that a model can learn it and unlearn it: the
    short form in brackets, a long clause in the lead, a quotation at the start, a dataset or a list that does not say
    so in its first words. `facts` needs `topic` wherever a lead has a subject; `short_form` where one is in brackets.
    """
    spec = KINDS_BY_NAME[kind]
    house = spec.title.format_map({**facts, "short": facts.get("topic", "")})
    template, flaws = spec.title, set[str]()
    if spec.careless and spec.honest not in lead:
        template = spec.careless
        flaws.add(f"{kind}_missed")
    short_form = facts.get("short_form")
    if short_form and "{short}" in template:
        flaws.add("jargon_or_acronym")
    careless = template.format_map({**facts, "short": short_form or facts.get("topic", "")}) + tail
    if opens_with_quote:
        careless = f'"{careless}"'
        flaws.add("quoted")
    if len(careless) > TITLE_LIMIT:
        flaws.add("too_long")
    return Titles(careless=careless, house=house, flaws=frozenset(flaws))
