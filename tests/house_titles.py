"""The table of made-up titles (`house_titles.yaml`) and how the house rules do on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from editorial import rules
from editorial.rules import RULES

TABLE = Path(__file__).with_suffix(".yaml")
FINE = "fine"


@dataclass(frozen=True)
class Sample:
    """A title over its article, and the rules that an editor would say it breaks."""

    title: str
    article: str
    language: str
    published: tuple[str, ...]
    expected: frozenset[str]

    def broken(self) -> frozenset[str]:
        """What the rules say."""
        found = rules.check(self.title, self.article, self.language, published=self.published)
        return frozenset(violation.rule for violation in found)


@dataclass(frozen=True)
class Quality:
    """How often a rule is right when it speaks, and how often it speaks when it should; in titles."""

    right: int
    false_alarms: int
    missed: int

    @property
    def precision(self) -> float:
        """Of what it accused, 0..1."""
        return self.right / (self.right + self.false_alarms or 1)

    @property
    def recall(self) -> float:
        """Of what it should have accused, 0..1."""
        return self.right / (self.right + self.missed or 1)


def samples() -> list[Sample]:
    """Every title of the table."""
    return [
        Sample(
            title=title,
            article=entry["article"],
            language=entry.get("language", "en"),
            published=tuple(entry.get("published", ())),
            expected=frozenset(broken.split()) - {FINE},
        )
        for entry in yaml.safe_load(TABLE.read_text(encoding="utf-8"))
        for broken, titles in entry["titles"].items()
        for title in titles
    ]


def quality(table: Iterable[Sample]) -> dict[str, Quality]:
    """Of every rule."""
    verdicts = [(sample.expected, sample.broken()) for sample in table]
    return {
        rule: Quality(
            right=sum(rule in expected and rule in broken for expected, broken in verdicts),
            false_alarms=sum(rule in broken - expected for expected, broken in verdicts),
            missed=sum(rule in expected - broken for expected, broken in verdicts),
        )
        for rule in RULES
    }
