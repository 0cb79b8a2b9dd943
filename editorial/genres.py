"""What kind of article it is where the kind must show in the title: a list of several things, or a new dataset.

Both are told from the opening of the article; what it mentions further down is background.
"""

from __future__ import annotations

import re

_OPENING = 700  # characters; about the first three paragraphs
_COUNT = r"(?:\d{1,3}|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|several|a dozen)"
_THINGS = (
    r"(?:tools?|apps?|products?|services?|programs?|platforms?|assistants?|generators?|chatbots?|models|books|courses|"
    r"plug-?ins|extensions|websites|libraries|frameworks|start-?ups|companies|ways|tips|tricks|lessons|gadgets|games)"
)
_COUNTED = rf"\b{_COUNT}\s+(?:[a-z-]+\s+){{0,3}}?{_THINGS}\b"
_LISTING = (
    r"(?:tried|tested|ranked|picked|compared|rounded up|listed?|roundup|worth a look|overview|best|favou?rites?|top|"
    r"here are|these are|choosing between)"
)
_COMPILATION = re.compile(
    rf"(?:{_LISTING}[^.!?\n]{{0,80}}{_COUNTED}|{_COUNTED}[^.!?\n]{{0,80}}{_LISTING})", re.IGNORECASE
)
_ENTRY = re.compile(r"^\s*(?:#?\d{1,2}[.):]\s|[-*•]\s)\S", re.MULTILINE)
_MIN_ENTRIES = 4
_LIST_TITLE = re.compile(
    rf"\b(?:{_COUNT}\b.*\w+s\b|best|top|list|lists|guide|round-?up|picks|favou?rites|{_THINGS}s?\b.*\bcompared)\b"
    rf"|\b(?:the|these|our|more|all)\s+(?:[\w-]+\s+){{0,2}}{_THINGS}\b",
    re.IGNORECASE,
)

_DATASET_WORD = r"(?:data\s?-?sets?|corpus|corpora|training data|collections? of\b[^.!?\n]{0,30}\bmillion)"
_RELEASE = (
    r"(?:releas\w+|publish\w*|open[- ]sourc\w+|giv(?:es|en|ing) away|gave away|offers?|offered|download\w*|made public|"
    r"now public|unveil\w*|launch\w*|introduc\w*|put together|assembled|is out|presents?|presented|spent)"
)
_EXAMPLES = (
    r"\d[\d,.]*\s+(?:thousand|million|billion)\s+(?:[a-z-]+\s+)?(?:images|recordings|clips|documents|conversations|"
    r"examples|maps|letters|sentences|photos|pictures|videos|questions|samples|records|annotations|labels)"
)
_DATASET = re.compile(
    rf"(?:{_RELEASE}[^.!?\n]{{0,60}}\b(?:{_DATASET_WORD}|{_EXAMPLES})"
    rf"|\b(?:{_DATASET_WORD}|{_EXAMPLES})[^.!?\n]{{0,60}}{_RELEASE})",
    re.IGNORECASE,
)
_DATASET_TITLE = re.compile(
    r"\b(?:data\w*|data[- ]sets?|corpus|collection|archive|examples|images|photos|recordings|videos|library)\b",
    re.IGNORECASE,
)
_PURPOSE = re.compile(
    r"\b(?:for|to|helps?|of|about|on|that|with|in|trains?|teach\w*|improv\w+|from|will|can)\b", re.IGNORECASE
)


def is_compilation(article: str) -> bool:
    """True for an article that lists several tools (or the like) instead of telling one story."""
    return bool(_COMPILATION.search(article[:_OPENING])) or len(_ENTRY.findall(article)) >= _MIN_ENTRIES


def titled_as_compilation(title: str) -> bool:
    """True for a title that lets the reader expect a list: "The 7 best tools for …", "A guide to …"."""
    return bool(_LIST_TITLE.search(title))


def is_dataset_release(article: str) -> bool:
    """True for an article whose news is that somebody published data to learn from."""
    return bool(_DATASET.search(article[:_OPENING]))


def names_dataset(title: str) -> bool:
    """True for a title that says it is about data."""
    return bool(_DATASET_TITLE.search(title))


def says_purpose(title: str) -> bool:
    """True for a title that says what for: it relates its subject to something."""
    return bool(_PURPOSE.search(title))
