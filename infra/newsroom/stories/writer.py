"""Writes stories: the same seed and index always give the same article."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from infra.newsroom.stories import body, words
from infra.newsroom.stories.kinds import KINDS_BY_NAME, Kind
from infra.newsroom.stories.reader import read_story
from infra.newsroom.stories.story import TITLE_LIMIT, Story, titles_for

KINDS: tuple[str, ...] = tuple(KINDS_BY_NAME)
ARTICLE_WORDS = (90, 190)
# How often a subject is followed by its short form, by kind; the rest of the kinds never do it.
_SHORT_FORM = {"paper": 0.55, "release": 0.45, "dataset": 0.3, "launch": 0.35, "funding": 0.15}
_TAIL = 0.22
_OPENING_QUOTE = 0.1
_LATE_LEAD = 0.1


def write_story(
    seed: int, index: int, kind: str | None = None, words_between: tuple[int, int] = ARTICLE_WORDS
) -> Story:
    """The story number `index` of the press called `seed`. Raises `KeyError` for an unknown kind."""
    rng = random.Random(f"{seed}:{index}:{kind}")
    chosen = kind or rng.choice(KINDS)
    while True:
        facts = _draw_facts(rng, chosen)
        story = _tell(rng, chosen, facts, words_between)
        if len(story.house_title) <= TITLE_LIMIT and _distinct(facts):
            return story


def retell(story: Story, seed: int, words_between: tuple[int, int] = ARTICLE_WORDS) -> Story:
    """The same story as another site tells it: other sentences, other headline, same names and same house title."""
    rng = random.Random(f"retell:{seed}:{story.text}")
    others = _draw_facts(rng, story.kind)
    others.pop("short_form", None)  # a subject without a short form does not get one on another site
    return _tell(rng, story.kind, _with_subject({**others, **story.facts}), words_between)


def revise(story: Story, seed: int) -> Story:
    """The article after its publisher corrected it: another figure where the title has one, else a note at the end."""
    rng = random.Random(f"revise:{seed}:{story.text}")
    day = rng.choice(words.DAYS)
    figure = next((name for name in ("amount", "count", "score") if name in KINDS_BY_NAME[story.kind].names), None)
    if figure is None:
        return replace(story, text=f"{story.text}\n\n{body.UPDATE.format(day=day)}")
    old = story.facts[figure]
    new = rng.choice([value for value in _figures(figure, rng) if value != old and len(value) <= len(old)])
    corrected = re.sub(rf"(?<![\d.]){re.escape(old)}(?![\d.]*\d)(?= (?:million|percent|tools|best))", new, story.text)
    read = read_story(f"{corrected}\n\n{body.CORRECTION.format(day=day)}")
    if read is None or len(read.house_title) > TITLE_LIMIT:
        raise ValueError(f"cannot revise {story.house_title!r}")  # a template the reader does not know
    return replace(read, headline=story.headline.replace(old, new), facts={**story.facts, **read.facts})


def _figures(fact: str, rng: random.Random) -> tuple[str, ...]:
    if fact == "score":
        return tuple(f"{rng.randint(41, 98)}.{rng.randint(0, 9)}" for _ in range(5))
    return words.SUMS if fact == "amount" else words.COUNTS


def _tell(rng: random.Random, kind: str, facts: Mapping[str, str], words_between: tuple[int, int]) -> Story:
    spec = KINDS_BY_NAME[kind]
    tail = _fill(rng, rng.choice(spec.tails), facts) if spec.tails and rng.random() < _TAIL else ""
    lead = _start(_fill(rng, rng.choice(spec.leads), {**facts, "tail": tail}))
    quote = _quotation(rng, facts)
    opens_with_quote = rng.random() < _OPENING_QUOTE
    first = f"{quote} {lead}" if opens_with_quote else lead
    paragraphs = _paragraphs(rng, kind, facts, first, "" if opens_with_quote else quote, words_between)
    titles = titles_for(kind, facts, lead, tail, opens_with_quote)
    return Story(
        kind=kind,
        headline=_start(_fill(rng, rng.choice(spec.headlines), facts)),
        text="\n\n".join(paragraphs),
        names=tuple(facts[name] for name in spec.names),
        careless_title=titles.careless,
        house_title=titles.house,
        flaws=titles.flaws,
        facts=facts,
    )


def _paragraphs(
    rng: random.Random, kind: str, facts: Mapping[str, str], lead: str, quote: str, words_between: tuple[int, int]
) -> list[str]:
    target = rng.randint(*words_between)
    support = _tools(rng, facts) if kind == "compilation" else _details(rng, KINDS_BY_NAME[kind], facts, target)
    rest: list[str] = []
    if target > 60 and quote:
        rest.append(quote)
    if target > 80:
        rest.append(_fill(rng, rng.choice(body.BACKGROUND), facts))
    asides = rng.sample(body.ASIDES, len(body.ASIDES))
    while asides and sum(len(p.split()) for p in (lead, support, *rest)) + 12 < target:
        rest.append(" ".join(_fill(rng, asides.pop(), facts) for _ in range(min(len(asides), rng.randint(1, 3)))))
    rng.shuffle(rest)
    if rest and lead[0] != '"' and rest[0][0] != '"' and rng.random() < _LATE_LEAD:
        return [rest[0], lead, support, *rest[1:]]
    if rest and rng.random() < 0.25:
        return [lead, rest[0], support, *rest[1:]]
    return [lead, support, *rest]


def _details(rng: random.Random, spec: Kind, facts: Mapping[str, str], target: int) -> str:
    most = len(spec.details) if target > 60 else 1
    chosen = rng.sample(spec.details, rng.randint(1, most))
    return " ".join(_start(_fill(rng, sentence, facts)) for sentence in chosen)


def _tools(rng: random.Random, facts: Mapping[str, str]) -> str:
    traits = rng.sample(body.TOOL_TRAITS, 4)
    nexts = rng.sample(body.NEXT_TOOLS, rng.randint(1, 3))
    sentences = [f"{_fill(rng, rng.choice(body.FIRST_TOOL), facts)} {traits[0]}."]
    sentences += [f"{_fill(rng, opening, facts)} {trait}." for opening, trait in zip(nexts, traits[1:], strict=False)]
    return " ".join(sentences)


def _quotation(rng: random.Random, facts: Mapping[str, str]) -> str:
    said = _start(_fill(rng, rng.choice(body.QUOTES), facts))
    return f'"{said}," {_fill(rng, rng.choice(body.SPEAKERS), facts)}.'


def _start(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _fill(rng: random.Random, template: str, facts: Mapping[str, str]) -> str:
    """Fills a template; names and figures of passing interest are drawn anew for every sentence."""
    return template.format_map({**facts, **_passing(rng)})


def _name(rng: random.Random, endings: Sequence[str], share: float) -> str:
    first, second = rng.sample(words.NAME_WORDS, 2)
    return f"{first} {rng.choice(endings) if rng.random() < share else second}"


def _company(rng: random.Random) -> str:
    return _name(rng, words.COMPANY_ENDINGS, 0.3)


def _product(rng: random.Random) -> str:
    return _name(rng, (*words.PRODUCT_ENDINGS, *"23456789"), 0.5)


def _person(rng: random.Random) -> str:
    return f"{rng.choice(words.FIRST_NAMES)} {rng.choice(words.LAST_NAMES)}"


def _passing(rng: random.Random) -> dict[str, str]:
    return {
        "company2": _company(rng),
        "company3": _company(rng),
        "product2": _product(rng),
        "person2": _person(rng),
        "city": rng.choice(words.CITIES),
        "region2": rng.choice(words.REGIONS),
        "day": rng.choice(words.DAYS),
        "month": rng.choice(words.MONTHS),
        "n": rng.choice(words.SMALL),
        "topic2": rng.choice(words.TOPICS),
        "users2": rng.choice(words.USERS),
        "users3": rng.choice(words.USERS),
    }


def _draw_facts(rng: random.Random, kind: str) -> dict[str, str]:
    topic, short_form = rng.choice(words.TOPICS), ""
    if rng.random() < _SHORT_FORM.get(kind, 0.0):
        topic = rng.choice(tuple(words.ACRONYMS))
        short_form = words.ACRONYMS[topic]
    facts = {
        "company": _company(rng),
        "target": _company(rng),
        "product": _product(rng),
        "person": _person(rng),
        "fund": _name(rng, words.FUND_ENDINGS, 1.0),
        "exam": _name(rng, words.TEST_ENDINGS, 1.0),
        "topic": topic,
        "users": rng.choice(words.USERS),
        "quality": rng.choice(words.QUALITIES),
        "amount": rng.choice(words.SUMS),
        "size": rng.choice(words.SMALL),
        "count": rng.choice(words.COUNTS),
        "score": f"{rng.randint(41, 98)}.{rng.randint(0, 9)}",
        "items": rng.choice(words.ITEMS),
        "round": rng.choice(words.ROUNDS),
        "region": rng.choice(words.REGIONS),
        "law": rng.choice(words.LAWS),
        "flaw": rng.choice(words.FLAWS),
    }
    return _with_subject({**facts, "short_form": short_form} if short_form else facts)


def _with_subject(facts: Mapping[str, str]) -> dict[str, str]:
    """Adds the ways in which a sentence may name the topic."""
    topic, short_form = facts["topic"], facts.get("short_form")
    subject = f"{topic} ({short_form})" if short_form else topic
    return {**facts, "topic_start": _start(topic), "subject": subject, "subject_start": _start(subject)}


def _distinct(facts: Mapping[str, str]) -> bool:
    """No word may start two of the story's own names, or a reader could mix them up."""
    firsts = [facts[name].split()[0] for name in ("company", "target", "product", "fund", "exam")]
    return len(set(firsts)) == len(firsts)
