"""An article shortened to what a prompt has room for; the same in training and in serving, whatever the tokenizer."""

from __future__ import annotations

import re
from math import ceil

_PIECE = re.compile(r"[^\W\d_]{1,30}|\S")
_SENTENCE_END = re.compile(r"""[.!?…。！？]["'”’»)\]]*(?=\s|$)|\n""")
BYTES_PER_TOKEN = 2.5
"""Of a word in UTF-8. English news take 4 to 5 with a large vocabulary and 2.3 with the demo's small one."""
LEAST_SHARE = 0.5
"""A cut at a sentence end that would keep less than this share is made at a word instead."""


def cut(text: str, max_tokens: int) -> str:
    """The beginning of `text` that has at most `max_tokens` tokens by a cautious estimate, up to the end of a sentence.

    A word counts its UTF-8 bytes by 2.5, rounded up; a digit or a sign counts one. A text that fits stays as it is.
    """
    limit = _limit(text, max_tokens)
    if limit >= len(text):
        return text
    ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, limit)]
    # at the limit itself `$` matches: an end is real only if a space or nothing follows it in the whole text
    ends = [end for end in ends if text[end - 1] == "\n" or text[end : end + 1].isspace()]
    if ends and ends[-1] >= LEAST_SHARE * limit:
        return text[: ends[-1]].rstrip()
    space = max(text.rfind(" ", 0, limit + 1), text.rfind("\n", 0, limit + 1))
    return text[: space if space > LEAST_SHARE * limit else limit].rstrip()


def estimate_tokens(text: str) -> int:
    """The tokens of a text by that estimate."""
    return sum(map(_tokens, _PIECE.findall(text)))


def _tokens(piece: str) -> int:
    return ceil(len(piece.encode(errors="replace")) / BYTES_PER_TOKEN)


def _limit(text: str, max_tokens: int) -> int:
    """How many characters fit."""
    used = 0
    for piece in _PIECE.finditer(text):
        used += _tokens(piece.group())
        if used > max_tokens:
            return piece.start()
    return len(text)
