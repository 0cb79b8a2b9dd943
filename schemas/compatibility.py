"""Events change by addition only. Each event's JSON Schema is frozen in `frozen/`; a breaking difference is named.

`python -m schemas.compatibility` checks; with `--freeze` it takes over additions, and refuses everything else.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from schemas.events import Event
from schemas.topics import EVENT_TYPES

FROZEN = Path(__file__).parent / "frozen"
_WORDS_ONLY = {"title", "description", "default", "examples", "$defs", "required", "properties", "items"}

Schema = dict[str, JsonValue]


@dataclass(frozen=True)
class Field:
    """What is promised about one field: its type with all constraints, as canonical JSON, and that it is always there.
    `arrived_with` is the path of the object it belongs to.
    """

    kind: str
    required: bool
    arrived_with: str


def breaking_changes(before: Schema, after: Schema) -> list[str]:
    """Each difference that breaks a reader of new messages or the replay of old ones, in words; empty if there is none.

    Topics are kept for ever, so both directions count: no field may go, change its type or its limits, or stop being
    always there; a new field may not be required, since the old messages do not have it.
    """
    old, new = _fields(before), _fields(after)
    faults = []
    for path, field in old.items():
        if path not in new:
            faults.append(f"{path} is gone (removed or renamed)")
        elif new[path].kind != field.kind:
            faults.append(f"{path} was {field.kind} and is now {new[path].kind}")
        elif new[path].required and not field.required:
            faults.append(f"{path} is now required, but old messages may lack it")
        elif field.required and not new[path].required:
            faults.append(f"{path} is no longer always there")
    for path, field in new.items():
        if path not in old and field.required and (field.arrived_with in old or not field.arrived_with):
            faults.append(f"{path} is new and required, but old messages lack it")
    return faults


def schema_of(event: type[Event]) -> Schema:
    """The event's JSON Schema as readers see it."""
    return event.model_json_schema(mode="validation")


def frozen_schema(type_name: str) -> Schema | None:
    """The schema as last promised, None for a new event type."""
    path = FROZEN / f"{type_name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def check() -> list[str]:
    """What keeps this code from being released: broken promises, and promises not written down yet."""
    faults = [f"{path.stem} is gone" for path in FROZEN.glob("*.json") if path.stem not in EVENT_TYPES]
    for type_name, event in EVENT_TYPES.items():
        before, now = frozen_schema(type_name), schema_of(event)
        broken = breaking_changes(before, now) if before else []
        faults += [f"{type_name}: {fault}" for fault in broken]
        if not broken and _fields(before or {}) != _fields(now):
            faults.append(f"{type_name} has an addition: python -m schemas.compatibility --freeze")
    return faults


def freeze() -> None:
    """Write the schemas of today down as promised."""
    FROZEN.mkdir(exist_ok=True)
    for type_name, event in EVENT_TYPES.items():
        text = json.dumps(schema_of(event), indent=2, ensure_ascii=False)
        (FROZEN / f"{type_name}.json").write_text(text + "\n", encoding="utf-8")


def _fields(schema: Schema) -> dict[str, Field]:
    definitions = schema.get("$defs", {})
    assert isinstance(definitions, dict)
    found: dict[str, Field] = {}

    def resolved(node: JsonValue) -> Schema:
        assert isinstance(node, dict)
        reference = node.get("$ref")
        return resolved(definitions[str(reference).rsplit("/", 1)[-1]]) if reference else node

    def bare(node: JsonValue) -> JsonValue:
        """The node without words, and without what is walked into; alternatives in one order."""
        if isinstance(node, list):
            return sorted((bare(item) for item in node), key=json.dumps)
        if not isinstance(node, dict):
            return node
        return {name: bare(value) for name, value in sorted(resolved(node).items()) if name not in _WORDS_ONLY}

    def walk(node: JsonValue, path: str) -> None:
        here = resolved(node)
        alternatives = here.get("anyOf", [])
        assert isinstance(alternatives, list)
        for alternative in alternatives:
            walk(alternative, path)
        properties, required = here.get("properties", {}), here.get("required", [])
        assert isinstance(properties, dict)
        assert isinstance(required, list)
        for name, child in properties.items():
            inner = f"{path}.{name}" if path else name
            found[inner] = Field(json.dumps(bare(child)), name in required, arrived_with=path.removesuffix("[]"))
            walk(child, inner)
        if "items" in here:
            inner = f"{path}[]"
            found[inner] = Field(json.dumps(bare(here["items"])), required=False, arrived_with=path)
            walk(here["items"], inner)

    walk(schema, "")
    return found


def main() -> int:
    """Exit status 1 with a line per fault."""
    parser = argparse.ArgumentParser(prog="python -m schemas.compatibility", description=__doc__)
    parser.add_argument("--freeze", action="store_true", help="write additions down as promised")
    wants_freeze = parser.parse_args().freeze
    faults = check()
    if wants_freeze and all("has an addition" in fault for fault in faults):
        freeze()
        return 0
    print(*faults, sep="\n", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
