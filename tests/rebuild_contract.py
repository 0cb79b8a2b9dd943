"""Making the read model again, on SQLite and on PostgreSQL: all of a part or nothing, whatever comes in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from sqlalchemy import Engine, text

from infra.kafka import Record
from schemas.envelope import encode
from schemas.errors import Transient, Unavailable
from schemas.events import Event
from schemas.topics import ARTICLES, Topic
from tests.facts import HISTORY, NOON, article, content, envelope, forget, tell
from workers.archivist.archive import store
from workers.archivist.projection import PARTS, project
from workers.archivist.rebuild import WouldLoseRows, rebuild

Read = Callable[[Topic], Iterator[Record]]
ARTICLES_PART = next(part for part in PARTS if ARTICLES in part.topics)


def record(topic: Topic, event: Event, time: datetime = NOON) -> Record:
    message = encode(event, source="test", time=time)
    return Record(topic.name, 0, 0, 0, message.key, message.value, message.headers)


def on_topics(topic: Topic) -> Iterator[Record]:
    """The history as it lies on its topics, each event twice."""
    return (record(topic, event, time) for _ in range(2) for there, event, time in HISTORY if there is topic)


def rebuild_all(engine: Engine, read: Read) -> None:
    for part in PARTS:
        rebuild(engine, part, read, empty=True)


class RebuildContract:
    """Needs two fixtures: `engine`, migrated, and `impatient`, the same database without patience for locks."""

    def test_what_is_made_again_is_what_was_there(self, engine: Engine) -> None:
        tell(engine, HISTORY)
        before = content(engine)
        rebuild_all(engine, on_topics)
        assert content(engine) == before
        forget(engine)
        rebuild_all(engine, on_topics)
        assert content(engine) == before

    def test_rows_that_were_tampered_with_are_as_the_events_say_again(self, engine: Engine) -> None:
        tell(engine, HISTORY)
        before = content(engine)
        with engine.begin() as connection:  # newer than any event: no upsert would touch them
            connection.execute(text("UPDATE titles SET text = 'hacked', written_at = '2099-01-01 00:00:00.000000'"))
        rebuild_all(engine, on_topics)
        assert content(engine) == before

    def test_a_rebuild_that_breaks_off_leaves_the_rows_as_they_were(self, engine: Engine) -> None:
        tell(engine, HISTORY)
        before = content(engine)

        def breaks_off(topic: Topic) -> Iterator[Record]:
            yield from list(on_topics(topic))[:1]
            raise Transient("the broker is away")

        for part in PARTS:
            with pytest.raises(Transient, match="away"):
                rebuild(engine, part, breaks_off, empty=True)
        assert content(engine) == before
        rebuild_all(engine, on_topics)
        assert content(engine) == before

    def test_topics_with_less_than_the_tables_change_nothing_unless_told_to(self, engine: Engine) -> None:
        tell(engine, HISTORY)
        before = content(engine)

        def wrong_broker(_: Topic) -> Iterator[Record]:
            return iter(())

        with pytest.raises(WouldLoseRows, match="articles from 2 to 0 rows"):
            rebuild(engine, ARTICLES_PART, wrong_broker, empty=True)
        assert content(engine) == before
        made = rebuild(engine, ARTICLES_PART, wrong_broker, empty=True, fewer_rows=True)
        assert (made.before, made.after) == ({"articles": 2}, {"articles": 0})

    def test_a_table_whose_topic_has_forgotten_keeps_its_rows_and_takes_the_newer_ones(self, engine: Engine) -> None:
        tell(engine, HISTORY)
        third = record(ARTICLES, article(3))
        made = rebuild(engine, ARTICLES_PART, lambda _: iter([third]), empty=False)
        assert (made.before, made.after) == ({"articles": 2}, {"articles": 3})

    def test_messages_that_cannot_be_rows_are_left_out_and_counted(self, engine: Engine) -> None:
        undecodable = Record(ARTICLES.name, 0, 0, 0, b"k", b"<rss/>", ())
        unfit = record(ARTICLES, article().model_copy(update={"revision": 2**70}))
        misplaced = record(ARTICLES, next(event for topic, event, _ in HISTORY if topic is not ARTICLES))
        good = [record(ARTICLES, article(number)) for number in range(1, 4)]
        mixed = [good[0], undecodable, unfit, good[1], misplaced, good[2]]
        made = rebuild(engine, ARTICLES_PART, lambda _: iter(mixed), empty=True)
        assert (made.after, made.messages, made.without_rows) == ({"articles": 3}, 6, 3)

    @pytest.mark.parametrize("empty", [True, False], ids=["emptied first", "written over"])
    def test_meanwhile_readers_see_the_old_rows_and_writers_wait(
        self, engine: Engine, impatient: Engine, empty: bool
    ) -> None:
        tell(engine, HISTORY)
        before = content(engine)

        def look_on(topic: Topic) -> Iterator[Record]:
            assert content(engine) == before
            with pytest.raises(Unavailable):
                store(impatient, project(ARTICLES, envelope(article(9))))
            return on_topics(topic)

        rebuild(engine, ARTICLES_PART, look_on, empty=empty)
        assert content(engine) == before
