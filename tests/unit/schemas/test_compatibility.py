"""The breaking-change check, and for each kind of break the proof that it is seen."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

import pytest
from pydantic import BaseModel, Field, JsonValue

from schemas.compatibility import Schema, breaking_changes, check, frozen_schema, schema_of
from schemas.events import ScoredTitle, Violation

Properties = dict[str, dict[str, JsonValue]]


def scored_title() -> Schema:
    schema = frozen_schema(ScoredTitle.type_name)
    assert schema is not None
    return schema


def properties(schema: Schema) -> Properties:
    return cast(Properties, schema["properties"])


def required(schema: Schema) -> list[str]:
    return cast(list[str], schema["required"])


def remove(schema: Schema) -> None:
    del properties(schema)["evidence"]


def rename(schema: Schema) -> None:
    properties(schema)["proof"] = properties(schema).pop("evidence")


def retype(schema: Schema) -> None:
    properties(schema)["text"] = {"type": "integer"}


def make_nullable(schema: Schema) -> None:
    properties(schema)["text"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def tighten(schema: Schema) -> None:
    properties(schema)["text"]["minLength"] = 1


def add_required(schema: Schema) -> None:
    properties(schema)["section"] = {"type": "string"}
    required(schema).append("section")


def make_optional(schema: Schema) -> None:
    required(schema).remove("text")


def change_inside_a_list(schema: Schema) -> None:
    definitions = cast(dict[str, Schema], schema["$defs"])
    del properties(definitions["Violation"])["reason"]


def drop_a_word(schema: Schema) -> None:
    definitions = cast(dict[str, Schema], schema["$defs"])
    definitions["Origin"]["enum"] = ["model"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (remove, "evidence is gone (removed or renamed)"),
        (rename, "evidence is gone (removed or renamed)"),
        (retype, 'text was {"type": "string"} and is now {"type": "integer"}'),
        (make_nullable, 'text was {"type": "string"} and is now {"anyOf": [{"type": "null"}, {"type": "string"}]}'),
        (tighten, 'text was {"type": "string"} and is now {"minLength": 1, "type": "string"}'),
        (add_required, "section is new and required, but old messages lack it"),
        (make_optional, "text is no longer always there"),
        (change_inside_a_list, "violations[].reason is gone (removed or renamed)"),
        (drop_a_word, 'origin was {"enum": ["curator", "model"], "type": "string"}'),
    ],
)
def test_a_breaking_change_is_named(change: Callable[[Schema], None], fault: str) -> None:
    changed = copy.deepcopy(scored_title())
    change(changed)
    assert fault in "\n".join(breaking_changes(scored_title(), changed))


def test_an_addition_with_a_default_breaks_nothing() -> None:
    class ReasonWithSeverity(Violation):
        severity: str = "note"

    class Grown(ScoredTitle):
        section: str = ""
        violations: tuple[ReasonWithSeverity, ...]
        history: tuple[Violation, ...] = ()  # its own fields are required: that binds no old message

    assert breaking_changes(scored_title(), schema_of(Grown)) == []


def test_a_new_required_field_inside_a_list_is_named() -> None:
    class ReasonWithSeverity(Violation):
        severity: str

    class Grown(ScoredTitle):
        violations: tuple[ReasonWithSeverity, ...]

    faults = breaking_changes(scored_title(), schema_of(Grown))
    assert faults == ["violations[].severity is new and required, but old messages lack it"]


def test_a_change_inside_an_optional_object_is_named() -> None:
    class Before(BaseModel):
        first: Violation | None = None

    class Other(BaseModel):
        rule: str

    class After(BaseModel):
        first: Other | None = None

    faults = breaking_changes(Before.model_json_schema(), After.model_json_schema())
    assert faults == ["first.reason is gone (removed or renamed)"]


def test_other_words_in_a_description_break_nothing() -> None:
    class Described(BaseModel):
        text: str = Field(description="one way", examples=["a"])

    class Redescribed(BaseModel):
        text: str = Field(description="another way", title="Wording")

    assert breaking_changes(Described.model_json_schema(), Redescribed.model_json_schema()) == []


def test_the_events_of_today_keep_every_promise_and_all_promises_are_written_down() -> None:
    assert check() == []
