"""What kind of article it is where the kind must show in the title: a list of several things, or a new dataset.

Both are told from the opening of the article; what it mentions further down is background.
"""

from __future__ import annotations

import re

_OPENING = 700  # characters; about the first three paragraphs
_COUNT = r"(?:\d{1,2}|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|several|a dozen)"
_THINGS = (
    r"(?:tools|apps|products|services|programs|platforms|assistants|generators|chatbots|models|books|courses|websites|"
    r"plug-?ins|extensions|libraries|frameworks|start-?ups|gadgets|games)"
)
_COUNTED = rf"(?<!than )\b{_COUNT}\s+(?:[a-z-]+\s+){{0,3}}?{_THINGS}\b"
_CHOSEN = r"(?:tried|tested|ranked|picked|chose|chosen|compared|collected|rounded up|listed|covers)"
_WITHIN = r"[^.!?\n]{0,50}"  # in the same sentence, not far away
_COMPILATION = re.compile(
    rf"\b(?:we|our|editors?|list|round-?up|overview)\b[^.!?\n]{{0,25}}\b{_CHOSEN}\b{_WITHIN}{_COUNTED}"
    rf"|{_COUNTED}{_WITHIN}\b(?:worth (?:a look|trying)|overview|compared|ranked)\b"
    rf"|\b(?:these|here) are\b[^.!?\n]{{0,20}}\b(?:best|top|favou?rite)\b{_WITHIN}{_THINGS}\b"
    rf"|(?:^|[.!?\n]\s*)(?:the|our) {_COUNT} (?:best|top|favou?rite)\b{_WITHIN}{_THINGS}\b",
    re.IGNORECASE,
)
_ENTRY = re.compile(r"^\s*#?\d{1,2}[.):]\s\S", re.MULTILINE)
_MIN_ENTRIES = 4
_LIST_TITLE = re.compile(
    rf"(?:^|[:?–]\s)(?:the |our |these |top )*{_COUNT}\b(?:\s[^:?–]*[a-z]s\b|\s(?:compared|ranked|tested)\b)"
    rf"|\b{_COUNT}\s+(?:[\w-]+\s+){{0,3}}?{_THINGS}\b"
    r"|\b(?:best|top|lists?|guides? to|round-?ups?|picks|favou?rites)\b"
    rf"|\b{_THINGS}\b.*\bcompared\b"
    rf"|\b(?:the|these|our|more|all)\s+(?:[\w-]+\s+){{0,2}}{_THINGS}\b",
    re.IGNORECASE,
)

_MILLIONS = r"\d[\d,.]*\s+(?:thousand|million|billion)"
_EXAMPLES = (
    rf"{_MILLIONS}\s+(?:[a-z-]+\s+)?(?:images|recordings|clips|documents|conversations|examples|maps|letters|sentences|"
    r"photos|pictures|videos|questions|samples|records|annotations|labels)|\d+,\d{3}\s+hours of\s+[a-z]+"
)
_DATA = rf"(?:data\s?-?sets?|corpus|corpora|collections? of {_MILLIONS}|{_EXAMPLES})"
_RELEASED = (
    r"(?:releas(?:es?|ed|ing)|publish(?:es|ed)?|open[- ]sourc(?:es?|ed|ing)|giv(?:es?|en|ing) away|gave away|offers?|"
    r"offered|download(?:ed)?|made public|now public|unveil(?:s|ed)?|launch(?:es|ed)?|put together|assembled|is out|"
    r"presents|presented|spent)"
)
_DATASET = re.compile(
    rf"\b(?:{_RELEASED}\b{_WITHIN}\b{_DATA}|{_DATA}\b{_WITHIN}\b{_RELEASED}|"
    rf"put {_DATA}\b{_WITHIN} (?:on the web|online))\b",
    re.IGNORECASE,
)
_DATASET_TITLE = re.compile(
    rf"\b(?:data[- ]?sets?|databases?|corpus|corpora|collection|{_EXAMPLES})\b"
    r"|\bdata(?=\s+(?:for|to|on|of|that|from|about)\b|\W*$|[,:;])",  # not the data of "data cleaning"
    re.IGNORECASE,
)
_PURPOSE = re.compile(
    r"\b(?:for|to|helps?|of|about|on|that|with|in|trains?|teach\w*|improv\w+|from|will|can)\b", re.IGNORECASE
)


def is_compilation(article: str) -> bool:
    """True for an article that lists several tools (or the like) instead of telling one story."""
    opening = article[:_OPENING]
    if _COMPILATION.search(opening):
        return True
    return bool(re.search(_COUNTED, opening, re.IGNORECASE)) and len(_ENTRY.findall(article)) >= _MIN_ENTRIES


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
