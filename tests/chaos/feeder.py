"""Feeds articles as a scraper does, acknowledged and sent again until they are; knows how far each group has come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from kafka import KafkaProducer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from infra.kafka import admin_client, make_producer, send_acked
from infra.settings import Settings
from schemas.errors import Transient
from schemas.topics import ARTICLES, TITLES, TOPICS, Topic
from tests.chaos.articles import Sent

GROUPS: dict[str, tuple[Topic, ...]] = {
    "copydesk.generator": (ARTICLES,),
    "copydesk.scorer": (TITLES,),
    "copydesk.archivist": TOPICS,
}
BATCH = 50


@dataclass(frozen=True)
class Position:
    """How far a group has come on one partition; `committed` is what the next start would begin with."""

    group: str
    topic: str
    partition: int
    committed: int
    end: int


def positions(settings: Settings) -> list[Position]:
    """Of every group on every partition that it reads. Raises `Transient` if the broker does not answer."""
    admin = admin_client(settings, 10)
    try:
        found = []
        for group, topics in GROUPS.items():
            places = [
                TopicPartition(topic["name"], part["partition_index"])
                for topic in admin.describe_topics([topic.name for topic in topics])
                for part in topic["partitions"]
            ]
            ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
            committed = admin.list_group_offsets({group: places})[group]
            for place in places:
                offset = committed[place].offset if place in committed else -1
                found.append(Position(group, place.topic, place.partition, max(0, offset), ends[place].offset))
        return found
    except KafkaError as error:
        raise Transient(f"no positions: {error}") from error
    finally:
        admin.close()


class Feeder(threading.Thread):
    """Sends up to `limit` articles, or without end until `enough`, so that about `backlog` articles and titles wait.

    It goes on measuring until `end`.
    """

    def __init__(self, settings: Settings, source: Iterator[Sent], limit: int | None, backlog: int) -> None:
        super().__init__(name="feeder", daemon=True)
        self.sent: list[Sent] = []
        self.positions: list[Position] = []
        self.error: BaseException | None = None
        self.moved_at = self.measured_at = time.monotonic()
        """When the groups last came further, and when that was last asked."""
        self._settings = settings
        self._source = source
        self._limit = limit
        self._backlog = backlog
        self._enough = self._over = False

    def enough(self) -> None:
        """Send no more than what is on its way."""
        self._enough = True

    def end(self) -> None:
        """Stop for good; may take as long as the broker does."""
        self._over = True
        self.join(120)

    @property
    def full(self) -> bool:
        """Has everything been sent?"""
        return self._enough or (self._limit is not None and len(self.sent) >= self._limit)

    @property
    def judged(self) -> int:
        """Titles judged, as far as the scorer has committed."""
        return sum(position.committed for position in self.positions if position.group == "copydesk.scorer")

    def settled(self, since: float) -> bool:
        """Has everything been sent, and read and committed by every group, measured after `since`?"""
        return (
            self.measured_at > since
            and self.full
            and all(position.committed == position.end for position in self.positions)
        )

    def run(self) -> None:
        try:
            while not self._over:
                self._turn()
                time.sleep(0.5)
        except BaseException as error:
            self.error = error

    def _turn(self) -> None:
        full, began = self.full, time.monotonic()
        try:
            found = positions(self._settings)
        except Transient:
            return
        if sum(each.committed for each in found) != sum(each.committed for each in self.positions):
            self.moved_at = began
        self.positions = found
        if full:  # what was measured before the last article was sent settles nothing
            self.measured_at = began
        waiting = sum(each.end - each.committed for each in found if each.group != "copydesk.archivist")
        while not self.full and waiting < self._backlog:
            room = BATCH if self._limit is None else min(BATCH, self._limit - len(self.sent))
            self._send([next(self._source) for _ in range(room)])
            waiting += room

    def _send(self, batch: list[Sent]) -> None:
        """Until it is acknowledged, whatever happens to the broker: as often as it takes, as the scraper does."""
        while not self._over:
            producer: KafkaProducer | None = None
            try:
                producer = make_producer(self._settings, "chaos")
                send_acked(producer, [(ARTICLES, sent.message) for sent in batch])
                self.sent += batch
                return
            except Transient:
                time.sleep(0.5)
            finally:
                if producer is not None:
                    producer.close(timeout=0)
