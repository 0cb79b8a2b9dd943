"""The house rules: each a pure function of title and article that answers with a reason for the curator, or nothing.

Rules about words know English only; for an article in another language they keep silent rather than guess. They are
made for few false alarms: a rule that cries wolf at good titles costs more of a curator's time than it saves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import grapheme

from editorial import acronyms, figures, genres, names, phrasing
from editorial.acronyms import NOTHING_LEARNED, Vocabulary
from schemas.events import Violation

MAX_LENGTH = 60
"""Graphemes: what a reader counts as characters."""

_COUNTED = 2000  # code points; counting graphemes is slow, and heaped accents are no title either
_READ = 500  # characters; rules about words need not see more of a title that is far too long anyway

_MARKS = re.compile(r"[\"“”„‟«»‹›「」『』＂]|(?<!\w)['‘‚‛](?=\w)(?:[^'’]|['’](?=\w))*(?<=[\w.,!?])['’](?!\w)")
_LEAKAGE = re.compile(
    r"^\W*(?:(?:[a-z]+ )?(?:title|headline)|answer|article|summary|output|user|assistant|(?:option|title) \d+)\s*:|"
    r"^\W*(?:here(?:'s| is| are)|this is)\s+(?:an?|the|your|one|some|my)\s+(?:\w+\s+){0,3}(?:titles?|headlines?)\b|"
    r"^\W*(?:sure|certainly|of course)\s*[,!.:]\s*(?:here|i\b|let me)|\bas an ai (?:language )?model\b|"
    r"^\W*(?:i can(?:not|'t|’t)|i(?:'|’)m sorry|sorry, (?:but )?i)\b|"
    r"<\|?/?\w+\|?>|\[/?INST\]|```|^#\s|#{2,6}\s.*|\{\w+\}|\(\d+ (?:characters|chars|words)\)|"
    r"\bat most \d+ characters\b|\bhouse rules:",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Case:
    """A title and all that a rule may look at."""

    title: str
    article: str
    learned: Vocabulary = NOTHING_LEARNED
    published: Sequence[str] = ()

    @property
    def wording(self) -> str:
        """The title without what belongs to the conversation with the model: that is told once."""
        return _LEAKAGE.sub(" ", self.title)


@dataclass(frozen=True)
class Rule:
    """One house rule. `find` gives the reason why it is broken, or an empty string."""

    find: Callable[[Case], str]
    english_only: bool = False
    of_empty_titles: bool = False
    of_any_length: bool = False


def check(
    title: str,
    article_text: str,
    language: str = "en",
    *,
    learned: Vocabulary = NOTHING_LEARNED,
    published: Sequence[str] = (),
) -> tuple[Violation, ...]:
    """Every rule that the title breaks, in the order of `RULES`. An empty title breaks the rule `empty` and no other.

    `language` is a tag such as `en` or `en-GB`; an empty one counts as English. `learned` is what curators taught about
    words; `published` are titles of other articles on the same story that are out already.
    """
    whole = Case(title, article_text, learned, published)
    head = replace(whole, title=title[:_READ])
    english = (language or "en").lower().split("-")[0] == "en" and not phrasing.foreign_language(
        head.title, article_text
    )
    empty = not title.strip()
    found = (
        Violation(rule=name, reason=reason)
        for name, rule in RULES.items()
        if rule.of_empty_titles == empty
        if english or not rule.english_only
        if (reason := rule.find(whole if rule.of_any_length else head))
    )
    return tuple(found)


def _empty(case: Case) -> str:
    return "The title is empty."


def _too_long(case: Case) -> str:
    length = grapheme.length(case.title[:_COUNTED])
    if len(case.title) <= _COUNTED and length <= MAX_LENGTH:
        return ""
    more = "more than " if len(case.title) > _COUNTED else ""
    return f"It has {more}{length} characters; {MAX_LENGTH} are allowed."


def _quotation_marks(case: Case) -> str:
    return "It has quotation marks." if _MARKS.search(case.title) else ""


def _prompt_leakage(case: Case) -> str:
    found = _LEAKAGE.search(case.title)
    return f"“{found[0].strip()}” belongs to the conversation with the model." if found else ""


def _several_lines(case: Case) -> str:
    return "It has more than one line." if len(case.title.strip().splitlines()) > 1 else ""


def _acronym(case: Case) -> str:
    return _listed("Unexplained short form", acronyms.unexplained_acronyms(case.title, case.article, case.learned))


def _jargon(case: Case) -> str:
    return _listed("Specialist word", acronyms.jargon(case.title, case.learned))


def _number(case: Case) -> str:
    return _listed("Number that the article does not have", figures.foreign_figures(case.wording, case.article))


def _name(case: Case) -> str:
    return _listed("Name that the article does not have", names.foreign_names(case.wording, case.article))


def _compilation(case: Case) -> str:
    if genres.is_compilation(case.article) and not genres.titled_as_compilation(case.title):
        return "The article is a list of several things; the title does not say so."
    return ""


def _dataset(case: Case) -> str:
    if not genres.is_dataset_release(case.article):
        return ""
    if not genres.names_dataset(case.title):
        return "The article presents a dataset; the title does not say so."
    return "" if genres.says_purpose(case.title) else "The title does not say what the dataset is good for."


def _clickbait(case: Case) -> str:
    found = phrasing.tease(case.title)
    return f"“{found}” teases instead of telling." if found else ""


def _copied(case: Case) -> str:
    return (
        "It is the beginning of the article, word for word."
        if phrasing.copies_first_sentence(case.title, case.article)
        else ""
    )


def _language(case: Case) -> str:
    found = phrasing.foreign_language(case.title, case.article)
    return f"It is in {found}, the article is not." if found else ""


def _repeated(case: Case) -> str:
    found = phrasing.repeats(case.title, case.published)
    return f"“{found}” is out already for the same story." if found else ""


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
    "repeated": Rule(_repeated),
    "clickbait": Rule(_clickbait, english_only=True),
}
"""Every rule by its name, in the order in which a curator reads them."""
