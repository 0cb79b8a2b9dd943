"""Names in a title, and whether the article has them.

English capitalises nothing but names, "I" and the first word, so in a sentence-case title a capital inside the sentence
marks a name. A title in Title Case hides its names; there only words with a capital or digit inside (OpenAI, GPT-4) are
looked at. Names are compared without case, accents, possessives, hyphens and the endings of demonyms.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from editorial.lexicon import NO_NAMES

_WORD = re.compile(r"[^\W_](?:[\w'’&.+]*[\w+])?")
_SENTENCE_START = re.compile(r"[.:;?!–—|(\"“”‘/]\s*$|^\s*$")
_ALIASES = {
    "us": ("u.s", "usa", "united", "america", "american", "americans"),
    "uk": ("u.k", "britain", "british", "england"),
    "eu": ("europe", "european"),
    "un": ("united", "u.n"),
    "britain": ("uk", "u.k", "british"),
    "china": ("chinese",),
    "france": ("french",),
    "germany": ("german", "germans"),
    "america": ("us", "u.s", "american", "americans"),
    "facebook": ("meta",),
    "xbox": ("microsoft",),
}
_DEMONYM = re.compile(r"(?:ians?|ans?|ese|ish|s)$")
_TITLE_CASE_SHARE = 0.6
_MIN_ROOT = 4


@dataclass(frozen=True)
class _Word:
    text: str
    key: str
    opens: bool  # first word of the title or of a sentence in it
    joined: bool  # only a space between it and the word before


def foreign_names(title: str, article: str) -> list[str]:
    """The title's names that the article lacks, as written. A name of several words must stand together there too."""
    words = _words(title)
    if not words:
        return []
    known = {word.key for word in _words(article)}
    shouting = _is_title_case(words)
    found: list[str] = []
    for word in words:
        if _is_name(word, shouting) and not _known(word.key, known):
            found.append(word.text)
    return list(dict.fromkeys(found))


def fold(text: str) -> str:
    """Without case, accents and typographic variants: what is left is compared."""
    plain = unicodedata.normalize("NFKD", text).replace("’", "'")
    return "".join(char for char in plain if not unicodedata.combining(char)).casefold()


def _words(text: str) -> list[_Word]:
    words: list[_Word] = []
    end = 0
    for match in _WORD.finditer(text):
        between = text[end : match.start()]
        opens = not words or bool(_SENTENCE_START.search(between))
        key = re.sub(r"'s?$", "", fold(match[0])).rstrip(".'")
        words.append(_Word(match[0], key, opens, between == " "))
        end = match.end()
    return words


def _is_title_case(words: list[_Word]) -> bool:
    """True when the inner words are capitalised throughout; short words do not count, they never are."""
    inner = [word.text for word in words if not word.opens and len(word.text) > 3 and word.text[0].isalpha()]
    return len(inner) > 1 and sum(text[0].isupper() for text in inner) / len(inner) > _TITLE_CASE_SHARE


def _is_name(word: _Word, title_case: bool) -> bool:
    text = word.text
    if word.key in NO_NAMES or not text[0].isalpha():
        return False
    if any(char.isdigit() for char in text) or any(char.isupper() for char in text[1:]):
        return True
    return text[0].isupper() and not word.opens and not title_case


def _known(key: str, known: set[str]) -> bool:
    if key in known or any(alias in known for alias in _ALIASES.get(key, ())):
        return True
    root = _DEMONYM.sub("", key)
    return len(root) >= _MIN_ROOT and any(_DEMONYM.sub("", other) == root for other in known)
