"""The AsyncAPI 3 document, made from the registry: `python -m schemas.asyncapi` writes it, `--check` compares."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml
from pydantic import JsonValue
from pydantic.json_schema import models_json_schema

from schemas.events import Event
from schemas.golden import Golden, messages
from schemas.topics import EVENT_TYPES, MAX_MESSAGE_BYTES, TOPICS, Topic

DOCUMENT = Path(__file__).parent / "asyncapi.yaml"
KAFKA_BINDING = "0.5.0"
DOWNSTREAM = "downstream"
"""Among a topic's readers: services that are not ours, so they get no operation in our document."""

Node = dict[str, JsonValue]


def document() -> Node:
    """The whole document as JSON values."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Copydesk",
            "version": "1.0.0",
            "description": "Articles in, house-style titles out. Other services consume `published`.\n"
            "Every message is a CloudEvent 1.0 in Kafka binary mode. Ids are deterministic: upsert by `ce_id`. "
            "Fields are only ever added: ignore those you do not know.",
            "tags": [{"name": worker} for worker in _workers()],
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": _operations(),
        "components": {
            "messages": {name: _message(event) for name, event in EVENT_TYPES.items()},
            "schemas": {**_payloads(), **{_headers_name(name): _headers(name) for name in EVENT_TYPES}},
        },
    }


def render() -> str:
    """The document as YAML."""
    return yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)


def _workers() -> list[str]:
    return sorted({worker for topic in TOPICS for worker in topic.writers + topic.readers} - {DOWNSTREAM})


def _channel(topic: Topic) -> Node:
    clean_up: list[JsonValue] = ["compact" if topic.compacted else "delete"]
    return {
        "address": topic.name,
        "description": f"{topic.purpose} Keyed by {topic.key}; what a reader cannot handle goes to "
        f"`{topic.dead_letters}`.",
        "messages": {topic.event.type_name: {"$ref": f"#/components/messages/{topic.event.type_name}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": clean_up,
                    "retention.ms": topic.retention_ms,
                    "max.message.bytes": MAX_MESSAGE_BYTES,
                },
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operations() -> Node:
    found: Node = {}
    for topic in TOPICS:
        for worker in topic.writers:
            found[f"{worker}.sends.{topic.name}"] = _operation("send", worker, topic)
        for worker in topic.readers:
            if worker != DOWNSTREAM:
                found[f"{worker}.receives.{topic.name}"] = _operation("receive", worker, topic)
    return found


def _operation(action: str, worker: str, topic: Topic) -> Node:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "tags": [{"name": worker}],
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{topic.event.type_name}"}],
    }


def _message(event: type[Event]) -> Node:
    topics = [topic for topic in TOPICS if topic.event is event]
    key: Node = {"type": "string", "description": topics[0].key}
    return {
        "name": event.type_name,
        "title": event.__name__,
        "summary": (event.__doc__ or "").split("\n")[0],
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/{_headers_name(event.type_name)}"},
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
        "bindings": {"kafka": {"key": key, "bindingVersion": KAFKA_BINDING}},
        "examples": [_example(topic, golden) for topic in topics for golden in messages(topic)],
    }


def _example(topic: Topic, golden: Golden) -> Node:
    return {
        "name": f"{topic.name}/{golden.name}",
        "summary": golden.shows,
        "headers": {**golden.headers},
        "payload": golden.value,
    }


def _payloads() -> Node:
    """All events and what they are made of, as JSON Schemas that point to each other inside the document."""
    _, schemas = models_json_schema(
        [(event, "validation") for event in EVENT_TYPES.values()], ref_template="#/components/schemas/{model}"
    )
    definitions: Node = schemas["$defs"]
    return definitions


def _headers_name(type_name: str) -> str:
    return f"{EVENT_TYPES[type_name].__name__}Headers"


def _headers(type_name: str) -> Node:
    text: Node = {"type": "string"}
    attributes: Node = {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_type": {"type": "string", "const": type_name},
        "ce_id": {"type": "string", "format": "uuid", "description": "The same facts have the same id: upsert by it."},
        "ce_source": text | {"description": "/copydesk/ and the worker's name."},
        "ce_time": {"type": "string", "format": "date-time", "description": "When the message was sent, in UTC."},
        "content-type": {"type": "string", "const": "application/json"},
    }
    trace: Node = {"traceparent": text | {"description": "W3C trace context, where the sender was traced."}}
    return {"type": "object", "required": list(attributes), "properties": attributes | trace}


class _Plain(yaml.SafeDumper):
    """No anchors: they confuse people and some readers of AsyncAPI."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def main() -> int:
    """Exit status 1 when the document is not up to date."""
    parser = argparse.ArgumentParser(prog="python -m schemas.asyncapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the committed document, write nothing")
    wants_check = parser.parse_args().check
    if not wants_check:
        DOCUMENT.write_text(render(), encoding="utf-8")
    elif not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != render():
        print(f"{DOCUMENT.name} is not what the registry says; write it with: make asyncapi", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
