"""The house rules: each a pure function of title and article that answers with a reason for the curator, or nothing.

Rules about words know English only; for an article in another language they keep silent rather than guess. They are
made for few false alarms: a rule that cries wolf at good titles costs more of a curator's time than it saves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import grapheme

from editorial import acronyms, figures, genres, names, phrasing
from schemas.events import Violation

MAX_LENGTH = 60
"""Graphemes: what a reader counts as characters."""

_COUNTED = 2000  # code points; counting graphemes is slow, and heaped accents are no title either
_READ = 500  # characters; rules about words need not see more of a title that is far too long anyway

_MARKS = re.compile(r"[\"“”„‟«»‹›「」『』＂]|(?<!\w)['‘‚‛](?=\w)[^'’]*\w['’](?!\w)")
_LEAKAGE = re.compile(
    r"^\W*(?:title|headline|answer|article|summary|output)\s*:|"
    r"^\W*(?:here(?:'s| is| are)|this is)\s+(?:an?|the|your|one|some|my)\s+(?:\w+\s+){0,3}(?:titles?|headlines?)\b|"
    r"^\W*(?:sure|certainly|of course)\s*[,!.:]\s*(?:here|i\b|let me)|\bas an ai (?:language )?model\b|"
    r"^\W*(?:i can(?:not|'t|’t)|i(?:'|’)m sorry|sorry, (?:but )?i)\b|"
    r"<\|?/?\w+\|?>|\[/?INST\]|```|^#{1,6}\s|\bat most \d+ characters\b|\bhouse rules:",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Rule:
    """One house rule. `find` gets title and article and gives the reason why it is broken, or an empty string."""

    find: Callable[[str, str], str]
    english_only: bool = False
    of_empty_titles: bool = False
    of_any_length: bool = False


def check(title: str, article_text: str, language: str = "en") -> tuple[Violation, ...]:
    """Every rule that the title breaks, in the order of `RULES`. An empty title breaks the rule `empty` and no other.

    `language` is a tag such as `en` or `en-GB`; an empty one counts as English.
    """
    head = title[:_READ]
    english = (language or "en").lower().split("-")[0] == "en"
    empty = not title.strip()
    found = (
        Violation(rule=name, reason=reason)
        for name, rule in RULES.items()
        if rule.of_empty_titles == empty
        if english or not rule.english_only
        if (reason := rule.find(title if rule.of_any_length else head, article_text))
    )
    return tuple(found)


def _empty(title: str, article: str) -> str:
    return "The title is empty."


def _too_long(title: str, article: str) -> str:
    length = grapheme.length(title[:_COUNTED])
    if len(title) <= _COUNTED and length <= MAX_LENGTH:
        return ""
    more = "more than " if len(title) > _COUNTED else ""
    return f"It has {more}{length} characters; {MAX_LENGTH} are allowed."


def _quotation_marks(title: str, article: str) -> str:
    return "It has quotation marks." if _MARKS.search(title) else ""


def _prompt_leakage(title: str, article: str) -> str:
    found = _LEAKAGE.search(title)
    return f"“{found[0].strip()}” belongs to the conversation with the model." if found else ""


def _several_lines(title: str, article: str) -> str:
    return "It has more than one line." if len(title.strip().splitlines()) > 1 else ""


def _acronym(title: str, article: str) -> str:
    return _listed("Unexplained short form", acronyms.unexplained_acronyms(title, article))


def _jargon(title: str, article: str) -> str:
    return _listed("Specialist word", acronyms.jargon(title))


def _number(title: str, article: str) -> str:
    return _listed("Number that the article does not have", figures.foreign_figures(title, article))


def _name(title: str, article: str) -> str:
    return _listed("Name that the article does not have", names.foreign_names(title, article))


def _compilation(title: str, article: str) -> str:
    if genres.is_compilation(article) and not genres.titled_as_compilation(title):
        return "The article is a list of several things; the title does not say so."
    return ""


def _dataset(title: str, article: str) -> str:
    if not genres.is_dataset_release(article):
        return ""
    if not genres.names_dataset(title):
        return "The article presents a dataset; the title does not say so."
    return "" if genres.says_purpose(title) else "The title does not say what the dataset is good for."


def _clickbait(title: str, article: str) -> str:
    found = phrasing.tease(title)
    return f"“{found}” teases instead of telling." if found else ""


def _copied(title: str, article: str) -> str:
    return (
        "It is the beginning of the article, word for word." if phrasing.copies_first_sentence(title, article) else ""
    )


def _language(title: str, article: str) -> str:
    found = phrasing.foreign_language(title, article)
    return f"It is in {found}, the article is not." if found else ""


def _listed(what: str, found: list[str]) -> str:
    return f"{what}: {', '.join(found)}." if found else ""


RULES: dict[str, Rule] = {
    "empty": Rule(_empty, of_empty_titles=True),
    "too_long": Rule(_too_long, of_any_length=True),
    "quotation_marks": Rule(_quotation_marks),
    "prompt_leakage": Rule(_prompt_leakage),
    "several_lines": Rule(_several_lines, of_any_length=True),
    "language": Rule(_language),
    "acronym": Rule(_acronym, english_only=True),
    "jargon": Rule(_jargon, english_only=True),
    "number_not_in_article": Rule(_number),
    "name_not_in_article": Rule(_name, english_only=True),
    "compilation": Rule(_compilation, english_only=True),
    "dataset": Rule(_dataset, english_only=True),
    "copied": Rule(_copied),
    "clickbait": Rule(_clickbait, english_only=True),
}
"""Every rule by its name, in the order in which a curator reads them."""
