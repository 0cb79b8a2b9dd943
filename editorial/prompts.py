"""The prompts, one immutable version each.

The prompt that trains is the prompt that serves: both sides call `render` with the same version, and a version's text
never changes once an adapter was trained with it (`tests/unit/editorial/test_prompts.py` holds the hashes).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

_PLACE = re.compile(r"\{text\}|\{examples\}")

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

_V5 = """\
You write titles for a news service about artificial intelligence.
Write one title for the article at the end. It has at most 60 characters, it is catchy, and it says what is new.

House rules:
- Our readers are not specialists. Write no jargon and no acronym that a general newspaper would have to explain.
- Put no quotation marks around the title or inside it.
- When the article presents a dataset, say that it is data and what it is good for.
- When the article is a list of several tools, title it as a list; never name it after its first entry.

Titles that our editors chose:
{examples}

Article:
{text}

Answer with the title only."""

_FIXED_EXAMPLES = """\
- Harbor Labs brings its speech model to phones
- Why small language models are winning over banks
- Chip start-up Corvane raises $80 million"""

PROMPTS: dict[str, str] = {
    "v1": _V1,  # careless: what a first attempt looks like
    "v2": _V2,  # v1 plus the house rules that corrections taught
    "v3": _V3,  # short, for tuned models: the adapter has learned the rules
    "v4": _V4,  # nothing but the article: the adapter has learned that a title is wanted, too
    "v5": _V5,  # v2 with examples that are chosen for each article; what is the same for all stands first
}


WITH_EXAMPLES = "v5"
"""The version that shows similar articles with the titles that curators gave them."""
TELLS_RULES = frozenset({"v1", "v2", WITH_EXAMPLES})
"""Versions for models that were not tuned: who is told what a title must be can be told again."""

_FIRMER = """\


Your first title was: {title}
It cannot be printed. {reasons}
Write another title for the same article. Keep every rule this time. Answer with the title only."""


def render(version: str, text: str, examples: Sequence[tuple[str, str]] = ()) -> str:
    """The user message for one article. `examples` are beginnings of similar articles with their titles; a version
    that shows none leaves them out, and one that shows them has three fixed titles where there are none. Raises
    `KeyError` for an unknown version.
    """
    parts = {"{text}": text, "{examples}": listed(examples)}
    # one pass: braces in an article are the article's
    return _PLACE.sub(lambda match: parts[match.group()], PROMPTS[version])


def listed(examples: Sequence[tuple[str, str]]) -> str:
    """Beginnings of articles and their titles as a prompt shows them; three fixed titles where there are none."""
    shown = "\n".join(f"- {title}\n  (of an article that begins: {begins})" for begins, title in examples)
    return shown or _FIXED_EXAMPLES


def firmer(message: str, title: str, reasons: Sequence[str]) -> str:
    """The message once more, with what is wrong with the title that it got. It begins like the first one, which the
    model server's prefix cache remembers.
    """
    return message + _FIRMER.replace("{reasons}", " ".join(reasons)).replace("{title}", title)


def digest(version: str) -> str:
    """sha256 (hex) of a version's template; recorded with every adapter so that serving can refuse a different one."""
    return hashlib.sha256(PROMPTS[version].encode()).hexdigest()
