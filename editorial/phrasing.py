"""How a title is worded: teasing, copied from the article, in another language than it, or used before."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from editorial.lexicon import OPENERS
from editorial.names import fold
from editorial.sentences import sentence_spans

_TEASES = re.compile(
    r"\byou(?:['’]ll| will| won['’]t| wouldn['’]t)? (?:never |not )?(?:guess|believe|regret)\b|"
    r"\b(?:couldn['’]t|could not|can['’]t) believe\b|\bhates? this\b|"
    r"\bwhat happen(?:s|ed) (?:next|when)\b|\b(?:will|going to|might) (?:blow|change) your (?:mind|life)\b|"
    r"\b(?:mind|jaw)[- ]?(?:blowing|dropping)\b|\b(?:one|this) (?:weird|simple|strange) (?:trick|thing|reason)\b|"
    r"\bthe one thing\b|"
    r"\b(?:this|these|here) (?:is|are) (?:the )?(?:reasons? )?(?:why|what|how)\b|\bhere['’]s (?:why|what|how)\b|"
    r"\b(?:number|no\.) \d+ will\b|\bthe (?:real |true )?(?:reason|secret) (?:why|behind|to)\b|"
    r"\b(?:everything|all) you (?:need|have) to know\b|\byou (?:need|have) to (?:know|see)\b|"
    r"\b(?:is|are) (?:about to change|changing) everything\b|\bwill (?:shock|amaze|surprise|stun) you\b|"
    r"\b(?:shocking|unbelievable|insane)\b|\bgame[- ]?chang(?:er|ing)\b|[!?]{2,}|!\s*$|(?:\.\.\.|…)\s*$",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+")
_LEAST_COPIED = 8  # words; shorter ones may well be the only way to say it
_LEAST_SENTENCE = 5  # words of a sentence that is copied whole
_SAME_SHARE = 0.8
"""Of the words that carry meaning, in either title, that two titles must share to be one and the same."""
_HEAD = 1500  # characters of an article that show its language
_LEAST_FOREIGN = 2
# words without which hardly a sentence of the language can do, and that the other languages here do not have
_FUNCTION_WORDS = {
    "en": "the of and to is are was were that with from this have has will by as its how why after what who their be",
    "de": "der die das und ist nicht mit für auf eine einen dem den zum zur vom im am wird sind von bei werden auch "
    "nach über wie ein hat haben wurde noch nur sich bekommt",
    "fr": "le les des et est une dans pour avec sur aux cette qui sont du au leur pas ses plus",
    "es": "el los las del y una con por para su sus más se como son está al lo pero",
    "it": "il gli della delle di è per nel nella sono anche dei dal alla questo più degli",
    "nl": "het een van voor niet met zijn wordt naar ook bij aan dat hun",
    "pt": "os uma em com não para mais dos ao pelo pela são foi nos das",
}
_LANGUAGE_OF = {
    word: next(iter(owners))
    for word, owners in {
        word: {name for name, words in _FUNCTION_WORDS.items() if word in words.split()}
        for words in _FUNCTION_WORDS.values()
        for word in words.split()
    }.items()
    if len(owners) == 1
}


def tease(title: str) -> str:
    """The words of the title that tease instead of telling, or nothing."""
    found = _TEASES.search(title)
    return found[0].strip() if found else ""


def copies_first_sentence(title: str, article: str) -> bool:
    """Is the title nothing but the beginning of the article's first sentence, or all of it?"""
    spans = sentence_spans(article[:_HEAD])
    words = _WORD.findall(fold(title))
    if not spans:
        return False
    start, end = spans[0]
    sentence = _WORD.findall(fold(article[start:end]))
    enough = _LEAST_SENTENCE if len(words) == len(sentence) else _LEAST_COPIED
    return len(words) >= enough and sentence[: len(words)] == words


def repeats(title: str, published: Iterable[str]) -> str:
    """The first of the published titles that says the same in nearly the same words, or nothing.

    Order, case, accents and small words do not count. Another number is another piece of news.
    """
    own = _telling(title)
    for other in published:
        theirs = _telling(other)
        numbers = {word for word in own ^ theirs if word.isdigit()}
        if own and not numbers and len(own & theirs) >= _SAME_SHARE * len(own | theirs):
            return other
    return ""


def _telling(title: str) -> frozenset[str]:
    every = frozenset(word.removesuffix("'s") for word in _WORD.findall(fold(title)))
    return frozenset(word.removesuffix("s") for word in every - OPENERS or every)


def foreign_language(title: str, article: str) -> str:
    """In which language or script the title is, if it is another one than the article's; else nothing.

    Scripts are compared by their letters, languages by words that only one of a few has: short titles have few of
    them, so many a foreign title passes, and hardly an English one is accused.
    """
    script, of_article = _script(title), _script(article[:_HEAD])
    if script and of_article and script != of_article:
        return f"{script.capitalize()} letters"
    language = _language(article[:_HEAD])
    counts = Counter(_LANGUAGE_OF[word] for word in set(_words(title)) if word in _LANGUAGE_OF)
    if not language or counts[language]:
        return ""
    (other, count), *_ = counts.most_common(1) or [("", 0)]
    return f"the language {other!r}" if count >= _LEAST_FOREIGN else ""


def _language(text: str) -> str:
    counts = Counter(_LANGUAGE_OF[word] for word in _words(text) if word in _LANGUAGE_OF)
    return counts.most_common(1)[0][0] if counts else ""


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _script(text: str) -> str:
    """The script of most letters, as Unicode calls it (LATIN, CYRILLIC, CJK); nothing where there are no letters."""
    counts = Counter(unicodedata.name(char, "").split(" ")[0].removesuffix("-") for char in text if char.isalpha())
    return counts.most_common(1)[0][0] if counts else ""
