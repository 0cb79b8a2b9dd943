"""From a model's raw answer to a title.

Only the wrapping goes: reasoning blocks, a "Title:" in front, line breaks, surrounding space, characters that no store
can hold. Quotation marks and everything else stay: they are the model's mistake, and the house rules must see them.
"""

from __future__ import annotations

import re
import unicodedata

_REASONING = re.compile(r"<(think|thinking|reasoning)>.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_LABEL = re.compile(r"^[\s*_#>]*(title|headline)[*_]{0,2}\s*:[*_]{0,2}\s*", re.IGNORECASE)


def clean(raw: str) -> str:
    """The title in one line; empty when the answer holds none (a result, not an error). `clean(clean(x)) == clean(x)`.

    An unclosed reasoning block swallows the rest: the model ran out of tokens before it came to the title.
    """
    text = _REASONING.sub(" ", raw)
    text = "".join(" " if char.isspace() else char for char in text if char.isspace() or _storable(char))
    text = " ".join(text.split())
    while (shorter := _LABEL.sub("", text).strip()) != text:
        text = shorter
    return text


def _storable(char: str) -> bool:
    """False for controls (PostgreSQL refuses NUL) and lone surrogates (UTF-8 refuses them)."""
    return unicodedata.category(char) not in {"Cc", "Cs"}
