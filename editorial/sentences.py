"""Where sentences end. Simple on purpose: it serves evidence and windows, where a wrong cut costs little."""

from __future__ import annotations

import re

_END = re.compile(r"(?:[.!?…][\"'”’)\]]*(?=\s+[\"'“‘(\[]?[A-Z0-9])|[。！？]|\n)\s*")
_NO_END = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|Inc|Corp|Co|Ltd|vs|No|Sen|Gov|[A-Z])\.$")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence; together they cover the text without gaps. A line break always ends one."""
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        head = text[max(start, match.start() - 8) : match.start() + 1]
        if match.end() == start or ("\n" not in match[0] and _NO_END.search(head)):
            continue
        spans.append((start, match.end()))
        start = match.end()
    if start < len(text):
        spans.append((start, len(text)))
    return spans
