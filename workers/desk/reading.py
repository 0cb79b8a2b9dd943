"""How an article is laid out: paragraphs, the evidence sentence, and title words the article does not know. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

READING_LIMIT = 40_000
"""Characters of an article that the page shows; the rest is at the publisher's."""
_EVIDENCE_LIMIT = 2000
_WORD = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*")
_SHORTEST_STEM = 4
_ENDING = 3
_EVERYDAY = """
a about after against all also an and are as at be become been before behind being but by can could do does for
from get gets had has have here his how in inside into is it its just like may meet more most near new no not now
of off on once one only or our out over own so than that the their them then there these they this those to under
up via was we were what when where which while who why will with without would yet you your
"""
_COMMON = frozenset(_EVERYDAY.split())


@dataclass(frozen=True)
class Span:
    """A run of text; `marked` where it stands out."""

    text: str
    marked: bool


Paragraph = tuple[Span, ...]


def lay_out(text: str, evidence: str) -> tuple[Paragraph, ...]:
    """The article's paragraphs, cut at `READING_LIMIT`, with the evidence marked where it can be found."""
    shown = text[:READING_LIMIT]
    start, end = _find(shown, evidence)
    paragraphs = []
    position = 0
    for line in shown.splitlines(keepends=True):
        if line.strip():
            paragraphs.append(_cut(line, start - position, end - position))
        position += len(line)
    return tuple(paragraphs)


def _find(text: str, evidence: str) -> tuple[int, int]:
    words = evidence[:_EVIDENCE_LIMIT].split()
    if not words:
        return 0, 0
    found = re.search(r"\s+".join(re.escape(word) for word in words), text)
    return found.span() if found else (0, 0)


def _cut(line: str, start: int, end: int) -> Paragraph:
    start, end = max(start, 0), min(max(end, 0), len(line))
    if start >= end:
        return (Span(line.strip(), False),)
    pieces = (
        Span(line[:start].lstrip(), False),
        Span(line[start:end].strip(), True),
        Span(line[end:].rstrip(), False),
    )
    return tuple(piece for piece in pieces if piece.text)


def mark_strange(title: str, article: str) -> tuple[Span, ...]:
    """The title in runs; marked are words that neither the article nor everyday grammar accounts for.

    A word counts as known when the article has one with the same stem, roughly: endings of up to three letters differ.
    """
    known = {_fold(word) for word in _WORD.findall(article)}
    stems = {word[:size] for word in known for size in range(_SHORTEST_STEM, len(word) + 1)}
    spans: list[Span] = []
    position = 0
    for match in _WORD.finditer(title):
        if _is_known(_fold(match.group()), known, stems):
            continue
        if match.start() > position:
            spans.append(Span(title[position : match.start()], False))
        spans.append(Span(match.group(), True))
        position = match.end()
    if position < len(title):
        spans.append(Span(title[position:], False))
    return tuple(spans)


def _fold(word: str) -> str:
    folded = word.casefold().replace("’", "'")
    return folded.removesuffix("'s")


def _is_known(word: str, known: set[str], stems: set[str]) -> bool:
    if word in _COMMON or word in known:
        return True
    if any(sign.isdigit() for sign in word):
        return False  # a figure is right or wrong; there is no stem to it
    if all(part in known or part in _COMMON for part in re.split(r"[-.]", word)):
        return True
    return len(word) > _SHORTEST_STEM and word[: max(_SHORTEST_STEM, len(word) - _ENDING)] in stems
