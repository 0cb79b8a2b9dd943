"""Names in a title, and whether the article has them.

English capitalises nothing but names, "I" and the first word, so in a sentence-case title a capital inside the sentence
marks a name. A title in Title Case hides its names; there only words with a capital or digit inside (OpenAI, GPT-4) are
looked at. The
first word of a sentence tells nothing by its capital: there, and in Title Case, names that everybody knows are looked
at, too. Names are compared without case, accents, possessives, hyphens and the endings of demonyms; what a name is in
other words (a nickname, a translation) is not known here and counts as foreign.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from editorial.lexicon import NO_NAMES, OPENERS, SAME_PLACE, SMALL_WORDS, SPECIALIST, WELL_KNOWN, WELL_KNOWN_NAMES

# a word may hold apostrophes and dots (U.S.), and a hyphen only before a number (GPT-4)
_WORD = re.compile(r"[^\W_](?:[\w'’&.+]*[\w+])?(?:-\d[\w.]*)?")
_SENTENCE_END = re.compile(r"[.:;?!–—|(\"“”‘/]\s*$")
_NEVER_NAMES = OPENERS | NO_NAMES
_ENDING = re.compile(r"(?:ians?|ans?|ese|ish|ers?|s)$")
_CAPITALISED_RUN = re.compile(r"(?<![\w.])[A-Z][\w.]{0,30}(?:[\s-](?:(?:of|and|for|the|on)\s)?[A-Z][\w.]{0,30}){1,9}")
_STROKES = str.maketrans({"’": "'", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ı": "i"})  # no accents
_TITLE_CASE_SHARE = 0.6
_MOST_NAMES = 3  # words with a capital that a sentence may have before it looks like Title Case
_MIN_ROOT = 4
_LONGEST_ENDING = 4


_GROUPS = [frozenset({name, *others}) for name, others in SAME_PLACE.items()]
_ALIASES = {
    name: frozenset().union(*(group for group in _GROUPS if name in group)) for name in frozenset().union(*_GROUPS)
}


@dataclass(frozen=True)
class _Word:
    text: str
    key: str
    opens: bool  # first of the title or of a sentence in it
    joined: bool  # nothing but a space between it and the word before


@dataclass(frozen=True)
class _Known:
    """What an article has."""

    words: frozenset[str]
    pairs: frozenset[str]  # neighbouring words, run together
    common: frozenset[str]  # words without a capital
    loners: frozenset[str]  # names of one word: capitalised, with no capitalised neighbour
    initials: frozenset[str]  # of runs of capitalised words


def foreign_names(title: str, article: str) -> list[str]:
    """The title's names that the article lacks, as written. Words of one name must be neighbours there, too."""
    words = _words(title)
    if not any(_is_name(word, False) or _everybody_knows(word) for word in words):
        return []
    known = _known(article)
    title_case = _is_title_case(words, known)
    shouted = title.isupper()
    names = [(not shouted and _is_name(word, title_case)) or _everybody_knows(word) for word in words]
    found: list[str] = []
    for place, word in enumerate(words):
        before = words[place - 1] if place and word.joined else None
        if names[place] and not _has(known, word):
            found.append(word.text)
        elif before and not title_case and names[place]:
            after = words[place + 1] if place + 1 < len(words) and words[place + 1].joined else None
            if not (after and word.key + after.key in known.pairs):  # "Connecting Silicon Valley"
                found += _foreign_pair(known, before, word)
    return list(dict.fromkeys(found))


def in_title_case(title: str, article: str) -> bool:
    """True where a capital in the title does not mark a name."""
    words = _words(title)
    return _is_title_case(words, _known(article))


def fold(text: str) -> str:
    """Without case, accents and typographic variants: what is left is compared."""
    return _plain(text).casefold()


def _foreign_pair(known: _Known, first: _Word, second: _Word) -> list[str]:
    """A name of two words (Amber Harbor) that the article has, if at all, only as parts of other names.

    Two names side by side (Nintendo Switch) are not one: each of them also stands alone in the article.
    """
    if not first.text[0].isupper() or first.text.endswith(("'s", "’s")) or first.key in _NEVER_NAMES:
        return []
    if _short_form(first.text) or second.key in known.loners:
        return []
    pair = first.key + second.key
    if pair in known.pairs or any(_same_root(pair, other) for other in known.pairs):
        return []
    return [f"{first.text} {second.text}"]


def _words(title: str) -> list[_Word]:
    words: list[_Word] = []
    end = 0
    for match in _WORD.finditer(title):
        between = title[end : match.start()]
        opens = not words or bool(_SENTENCE_END.search(between))
        words.append(_Word(match[0], _key(fold(match[0])), opens, between == " "))
        end = match.end()
    return words


@lru_cache(maxsize=8)  # the rule asks, then the flagger
def _known(article: str) -> _Known:
    words = _WORD.findall(_plain(article))
    keys = [_key(word.casefold()) for word in words]
    capital = [False, *(word[0].isupper() and key not in _NEVER_NAMES for word, key in zip(words, keys, strict=True))]
    alone = zip(keys, capital, capital[1:], [*capital[2:], False], strict=False)
    runs = _CAPITALISED_RUN.findall(article)
    return _Known(
        words=frozenset(keys),
        pairs=frozenset(first + second for first, second in pairwise(keys)),
        common=frozenset(word for word in words if word[0].islower()),
        loners=frozenset(key for key, before, here, after in alone if here and not before and not after),
        initials=frozenset("".join(char for char in run if char.isupper()).lower() for run in runs),
    )


def _plain(text: str) -> str:
    """Without accents and typographic variants; case stays."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text.translate(_STROKES))
    return "".join(char for char in plain if not unicodedata.combining(char))


def _key(folded: str) -> str:
    return folded.rstrip(".").removesuffix("'").removesuffix("'s").replace("-", "").replace(".", "")


def _is_title_case(words: list[_Word], known: _Known) -> bool:
    """True when the inner words are capitalised throughout; short words do not count, they never are.

    A few capitals may just be names ("Money for Amber Robotics"), unless the article writes one of the words small.
    """
    inner = [word for word in words if not word.opens and len(word.text) > 3 and word.text[0].isalpha()]
    capitals = [word for word in inner if word.text[0].isupper()]
    if any(
        word.text[0].isupper() and word.text[1:].islower() and word.key in SMALL_WORDS
        for word in words
        if not word.opens
    ):
        return True
    if len(capitals) <= len(inner) * _TITLE_CASE_SHARE:
        return False
    return len(capitals) > _MOST_NAMES or any(word.key in known.common for word in capitals)


def _is_name(word: _Word, title_case: bool) -> bool:
    text = word.text
    if word.key in NO_NAMES or not text[0].isalpha() or _short_form(text):
        return False
    if any(char.isdigit() for char in text) or any(char.isupper() for char in text[1:]):
        return True
    return text[0].isupper() and not word.opens and not title_case


def _everybody_knows(word: _Word) -> bool:
    return word.text[0].isupper() and word.key in WELL_KNOWN_NAMES


def _short_form(text: str) -> bool:
    """True for acronyms that the rule on acronyms knows and judges."""
    core = text[:-1] if text.endswith("s") else text
    return bool({text.upper(), core.upper()} & (WELL_KNOWN | SPECIALIST)) and core.upper() not in SAME_PLACE


def _has(known: _Known, word: _Word) -> bool:
    key = word.key
    if key in known.words or key in known.pairs or any(other in known.words for other in _ALIASES.get(key, ())):
        return True
    if re.sub(r"['’]s$", "", word.text)[:-1].isupper() and (
        key in known.initials or key.removesuffix("s") in known.initials
    ):
        return True
    return any(_same_root(key, other) for other in known.words)


def _same_root(key: str, other: str) -> bool:
    """True for Japan and Japanese, Island and Islander, Korea and Korean."""
    roots = [root for root in (key, _ENDING.sub("", key)) if len(root) >= _MIN_ROOT]
    return any(other.startswith(root) and len(other) <= len(root) + _LONGEST_ENDING for root in roots)
