"""Consumer groups from outside: who is in them, how far they are, and how to let them read again.

Kafka takes a group's offsets from outside only while nobody is in the group: a member would overwrite them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError, NoError, RetriableError, UnknownMemberIdError
from kafka.structs import OffsetAndMetadata

from infra.kafka import admin_client, bounds
from infra.settings import Settings
from schemas.errors import Invalid, Mendable, Transient

PATIENCE_S = 30
NO_SUCH_GROUP = "GROUP_ID_NOT_FOUND"


class GroupActive(Mendable):
    """Somebody is in the group: its offsets are theirs."""


@dataclass(frozen=True)
class Position:
    """How far a group is in a partition, between its first message and its end. None: it has committed nothing yet."""

    partition: int
    first: int
    committed: int | None
    end: int


def members(settings: Settings, group: str) -> list[str]:
    """Who is in the group, by name; nobody in a group that does not exist. Raises `Transient`."""
    described = _ask(settings, f"who is in {group!r}", lambda admin: admin.describe_groups([group])[group])
    if described["error"] and NO_SUCH_GROUP not in described["error"]:
        raise Transient(f"the broker cannot say who is in {group!r}: {described['error']}")
    return sorted(member.get("group_instance_id") or member["client_id"] for member in described["members"])


def positions(settings: Settings, group: str, topic_name: str) -> list[Position]:
    """Where the group is in every partition. Raises `Invalid` for a topic that does not exist, `Transient`."""
    edges = bounds(settings, topic_name)
    if not edges:
        raise Invalid(f"there is no topic {topic_name!r} at {settings.bootstrap}")
    places = [TopicPartition(topic_name, number) for number in edges]
    committed = _ask(settings, f"how far {group!r} is", lambda admin: admin.list_group_offsets({group: places})[group])
    known = {place.partition: at.offset for place, at in committed.items() if at.offset >= 0}  # -1: never committed
    return [Position(number, first, known.get(number), end) for number, (first, end) in edges.items()]


def move(settings: Settings, group: str, topic_name: str, offsets: Mapping[int, int]) -> None:
    """Let the group go on at these offsets, by partition. Raises `GroupActive` while somebody is in it, `Transient`."""
    wanted = {TopicPartition(topic_name, number): OffsetAndMetadata(to, "", -1) for number, to in offsets.items()}
    answers = _ask(settings, f"to move {group!r}", lambda admin: admin.alter_group_offsets(group, wanted))
    if any(issubclass(answer, UnknownMemberIdError) for answer in answers.values()):
        raise GroupActive(f"somebody has just joined {group!r}; nothing was moved")
    refused = sorted(f"{place.partition}: {answer.__name__}" for place, answer in answers.items() if answer != NoError)
    if refused:
        raise Transient(f"not all of {group!r} was moved (partition {', '.join(refused)}); repeat the command")


def _ask(settings: Settings, what: str, question: Callable[[KafkaAdminClient], Any]) -> Any:
    admin = admin_client(settings, PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while True:
            try:
                return question(admin)
            except RetriableError:  # a broker that has just started looks for the group's coordinator first
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
    except KafkaError as error:
        raise Transient(f"cannot ask {settings.bootstrap} {what}: {error}") from error
    finally:
        admin.close()
