"""The prompts, one immutable version each.

The prompt that trains is the prompt that serves: both sides call `render` with the same version, and a version's text
never changes once an adapter was trained with it (`tests/unit/editorial/test_prompts.py` holds the hashes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_V1 = """\
You write titles for a news service about artificial intelligence.
Write one title for the article below. It has at most 60 characters, it is catchy, and it says what is new.

Titles our readers liked:
- Harbor Labs brings its speech model to phones
- Why small language models are winning over banks
- Chip start-up Corvane raises $80 million

Article:
{text}

Answer with the title only."""

_V2 = """\
You write titles for a news service about artificial intelligence.
Write one title for the article below. It has at most 60 characters, it is catchy, and it says what is new.

Titles our readers liked:
- Harbor Labs brings its speech model to phones
- Why small language models are winning over banks
- Chip start-up Corvane raises $80 million

House rules:
- Our readers are not specialists. Write no jargon and no acronym that a general newspaper would have to explain.
- Put no quotation marks around the title or inside it.
- When the article presents a dataset, say that it is data and what it is good for.
- When the article is a list of several tools, title it as a list; never name it after its first entry.

Article:
{text}

Answer with the title only."""

_V3 = """\
Write a title of at most 60 characters.

{text}"""

_V4 = "{text}"

PROMPTS: dict[str, str] = {
    "v1": _V1,  # careless: what a first attempt looks like
    "v2": _V2,  # v1 plus the house rules that corrections taught
    "v3": _V3,  # short, for tuned models: the adapter has learned the rules
    "v4": _V4,  # nothing but the article: the adapter has learned that a title is wanted, too
}


TELLS_RULES = frozenset({"v1", "v2"})
"""Versions for models that were not tuned: who is told what a title must be can be told again."""

_FIRMER = """\


Your first title was: {title}
It cannot be printed. {reasons}
Write another title for the same article. Keep every rule this time. Answer with the title only."""


def render(version: str, text: str) -> str:
    """The user message for one article. Raises `KeyError` for an unknown version."""
    return PROMPTS[version].replace("{text}", text)


def firmer(version: str, text: str, title: str, reasons: Sequence[str]) -> str:
    """The message once more, with what is wrong with the title that it got. It begins like the first one, which the
    model server's prefix cache remembers.
    """
    told = _FIRMER.replace("{reasons}", " ".join(reasons)).replace("{title}", title)
    return render(version, text) + told


def digest(version: str) -> str:
    """sha256 (hex) of a version's template; recorded with every adapter so that serving can refuse a different one."""
    return hashlib.sha256(PROMPTS[version].encode()).hexdigest()
