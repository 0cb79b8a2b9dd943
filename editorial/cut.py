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

TAIL_SHARE = 0.2
"""Of the tokens are the end's: news begins with what is new, but some say last what it is about."""
LEAST_FOR_TAIL = 200
"""With fewer tokens only the beginning is kept."""
GAP = "\n…\n"
MOST_CHARACTERS_PER_TOKEN = 16
"""What is looked at for the end: with the spaces more than tokens ever have."""


def cut(text: str, max_tokens: int) -> str:
    """At most `max_tokens` tokens of `text` by a cautious estimate: its beginning up to the end of a sentence and, with
    room for both, its end from the beginning of a sentence; an ellipsis stands between them.

    A word counts its UTF-8 bytes by 2.5, rounded up; a digit or a sign counts one. A text that fits stays as it is.
    """
    if _limit(text, max_tokens) >= len(text):
        return text
    tail = _tail(text, int(max_tokens * TAIL_SHARE)) if max_tokens >= LEAST_FOR_TAIL else ""
    if not tail:
        return _head(text, max_tokens)
    return _head(text, max_tokens - estimate_tokens(tail + GAP)) + GAP + tail


def _head(text: str, max_tokens: int) -> str:
    limit = _limit(text, max_tokens)
    ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, limit)]
    # at the limit itself `$` matches: an end is real only if a space or nothing follows it in the whole text
    ends = [end for end in ends if text[end - 1] == "\n" or text[end : end + 1].isspace()]
    if ends and ends[-1] >= LEAST_SHARE * limit:
        return text[: ends[-1]].rstrip()
    space = max(text.rfind(" ", 0, limit + 1), text.rfind("\n", 0, limit + 1))
    return text[: space if space > LEAST_SHARE * limit else limit].rstrip()


def _tail(text: str, max_tokens: int) -> str:
    """The last sentences that have room; nothing where no sentence begins in them."""
    near = text[-MOST_CHARACTERS_PER_TOKEN * max_tokens :]
    used, first = 0, len(near)
    for piece in reversed(list(_PIECE.finditer(near))):
        used += _tokens(piece.group())
        if used > max_tokens:
            break
        first = piece.start()
    begins = next((match.end() for match in _SENTENCE_END.finditer(near, first) if near[match.end() :].strip()), None)
    return "" if begins is None else near[begins:].strip()


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
