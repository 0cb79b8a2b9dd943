"""Golden examples: articles whose title must be right whatever else a model has learned. Read from a YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from editorial import rules
from schemas.errors import Mendable
from schemas.training import Condition

COMES_ALONG = Path(__file__).parent / "golden.yaml"


class BadGolden(Mendable):
    """The file of golden examples cannot be used."""


class Golden(BaseModel):
    """One article; in its title every entry of `says` (of a list: one of them), none of `never`, no rule broken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    text: str = Field(min_length=1)
    language: str = "en"
    says: tuple[str | tuple[str, ...], ...] = ()
    never: tuple[str, ...] = ()

    def objection(self, title: str) -> str:
        """What is wrong with the title; empty when nothing is."""
        seen = title.casefold()
        for wanted in self.says:
            choices = (wanted,) if isinstance(wanted, str) else wanted
            if not any(choice.casefold() in seen for choice in choices):
                return f"it does not say {' or '.join(choices)}"
        for banned in self.never:
            if banned.casefold() in seen:
                return f"it says {banned}"
        return " ".join(violation.reason for violation in rules.check(title, self.text, self.language))


class GoldenSet(BaseModel):
    """All golden examples, and how many of them may fail."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    misses_allowed: int = Field(default=0, ge=0)
    examples: tuple[Golden, ...] = ()

    def judge(self, titles: Sequence[str]) -> Condition:
        """The gate's condition on one title per example."""
        missed = [
            f"{golden.name}: “{title}”, {why}"
            for golden, title in zip(self.examples, titles, strict=True)
            if (why := golden.objection(title))
        ]
        right = f"{len(titles) - len(missed)} of {len(titles)} golden examples are right"
        words = f"{right} (may fail: {self.misses_allowed})" + (f"; wrong: {'; '.join(missed)}" if missed else "")
        return Condition(name="golden examples", met=len(missed) <= self.misses_allowed, words=words)


def load_golden(path: str) -> GoldenSet:
    """The examples in the file; an empty path stands for those that come along. Raises `BadGolden`."""
    file = Path(path) if path else COMES_ALONG
    try:
        return GoldenSet.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadGolden(f"golden examples {file} cannot be read: {error.strerror}") from error
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadGolden(f"golden examples {file}: {error}") from error
