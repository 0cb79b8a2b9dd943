"""Consumer groups from outside: who is in them, how far they are, and how to let them read again.

Kafka takes a group's offsets from outside only while nobody is in the group: a member would overwrite them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kafka import TopicPartition
from kafka.errors import GroupIdNotFoundError, NoError, UnknownMemberIdError
from kafka.structs import OffsetAndMetadata

from infra.kafka import ask, bounds, lags
from infra.settings import Settings
from schemas.errors import Invalid, Mendable, Transient
from schemas.topics import Topic

NO_SUCH_GROUP = GroupIdNotFoundError.__name__
"""How the administrator's client tells it, with more words around."""


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
    described = ask(settings, f"who is in {group!r}", lambda admin: admin.describe_groups([group])[group])
    if described["error"] and NO_SUCH_GROUP not in described["error"]:
        raise Transient(f"the broker cannot say who is in {group!r}: {described['error']}")
    return sorted(member.get("group_instance_id") or member["client_id"] for member in described["members"])


def has_room(settings: Settings, group: str, topics: Sequence[Topic]) -> bool:
    """Are there partitions for more members than the group has? Raises `Transient`."""
    partitions = Counter(place.topic for place in lags(settings, group, topics))
    return len(members(settings, group)) < max(partitions.values())


def positions(settings: Settings, group: str, topic_name: str) -> list[Position]:
    """Where the group is in every partition. Raises `Invalid` for a topic that does not exist, `Transient`."""
    edges = bounds(settings, topic_name)
    if not edges:
        raise Invalid(f"there is no topic {topic_name!r} at {settings.bootstrap}")
    places = [TopicPartition(topic_name, number) for number in edges]
    committed = ask(settings, f"how far {group!r} is", lambda admin: admin.list_group_offsets({group: places})[group])
    known = {place.partition: at.offset for place, at in committed.items() if at.offset >= 0}  # -1: never committed
    return [Position(number, first, known.get(number), end) for number, (first, end) in edges.items()]


def move(settings: Settings, group: str, topic_name: str, offsets: Mapping[int, int]) -> None:
    """Let the group go on at these offsets, by partition. Raises `GroupActive` while somebody is in it, `Transient`."""
    wanted = {TopicPartition(topic_name, number): OffsetAndMetadata(to, "", -1) for number, to in offsets.items()}
    answers = ask(settings, f"to move {group!r}", lambda admin: admin.alter_group_offsets(group, wanted))
    if any(issubclass(answer, UnknownMemberIdError) for answer in answers.values()):
        raise GroupActive(f"somebody has just joined {group!r}; nothing was moved")
    refused = sorted(f"{place.partition}: {answer.__name__}" for place, answer in answers.items() if answer != NoError)
    if refused:
        raise Transient(f"not all of {group!r} was moved (partition {', '.join(refused)}); repeat the command")
