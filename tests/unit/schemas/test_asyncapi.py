"""The AsyncAPI document is what the registry says, and hangs together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
import yaml
from pydantic import JsonValue

from schemas.asyncapi import DOCUMENT, DOWNSTREAM, Node, document, render
from schemas.golden import messages
from schemas.topics import TOPICS

WRITTEN = cast(Node, yaml.safe_load(DOCUMENT.read_text(encoding="utf-8")))


def follow(reference: str) -> JsonValue:
    node: JsonValue = WRITTEN
    for part in reference.removeprefix("#/").split("/"):
        assert isinstance(node, dict)
        node = node[part]
    return node


def references(node: JsonValue) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield str(node["$ref"])
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def test_the_committed_document_is_the_one_the_registry_gives() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render(), "write it with: make asyncapi"


def test_reading_the_yaml_gives_back_the_document() -> None:
    assert document() == WRITTEN


def test_every_reference_leads_somewhere() -> None:
    found = list(references(WRITTEN))
    assert len(found) > len(TOPICS)
    for reference in found:
        assert isinstance(follow(reference), dict), reference


def test_a_reference_that_leads_nowhere_would_be_noticed() -> None:
    with pytest.raises(KeyError):
        follow("#/components/schemas/Nothing")


def test_there_is_one_operation_per_worker_and_topic_and_none_for_services_that_are_not_ours() -> None:
    expected = {f"{worker}.sends.{topic.name}" for topic in TOPICS for worker in topic.writers}
    expected |= {f"{worker}.receives.{topic.name}" for topic in TOPICS for worker in topic.readers}
    operations = cast(dict[str, Node], WRITTEN["operations"])
    assert set(operations) == {name for name in expected if not name.startswith(DOWNSTREAM)}
    assert {str(operation["action"]) for operation in operations.values()} == {"send", "receive"}


def test_every_golden_message_is_an_example_of_its_message() -> None:
    for topic in TOPICS:
        message = cast(Node, follow(f"#/components/messages/{topic.event.type_name}"))
        names = {str(example["name"]) for example in cast(list[Node], message["examples"])}
        assert {f"{topic.name}/{golden.name}" for golden in messages(topic)} <= names
