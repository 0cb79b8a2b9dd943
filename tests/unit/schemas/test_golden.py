"""Every golden message can be read by the code of today, and would be written the same today."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from pydantic import ValidationError

from schemas.envelope import decode, encode
from schemas.events import Article, Correction, Title
from schemas.golden import EXAMPLES, Golden, messages
from schemas.topics import EVENT_TYPES, TOPICS, Topic

ALL = [pytest.param(topic, golden, id=f"{topic.name}/{golden.name}") for topic in TOPICS for golden in messages(topic)]
FROM_A_NEWER_WRITER = "from-a-newer-writer"


@pytest.mark.parametrize(("topic", "golden"), ALL)
def test_it_is_read_as_the_event_of_its_topic_from_a_worker_that_writes_there(topic: Topic, golden: Golden) -> None:
    opened = decode(golden.wire_value, golden.wire_headers)
    assert type(opened.event) is topic.event
    assert opened.source.removeprefix("/copydesk/") in topic.writers


@pytest.mark.parametrize(("topic", "golden"), ALL)
def test_the_same_facts_still_give_the_same_id_and_key(topic: Topic, golden: Golden) -> None:
    event = decode(golden.wire_value, golden.wire_headers).event
    assert (str(event.event_id), event.key) == (golden.headers["ce_id"], golden.key)


@pytest.mark.parametrize(("topic", "golden"), ALL)
def test_it_would_be_written_the_same_today(topic: Topic, golden: Golden) -> None:
    opened = decode(golden.wire_value, golden.wire_headers)
    source = opened.source.removeprefix("/copydesk/")
    again = encode(opened.event, source=source, time=opened.time, traceparent=opened.traceparent)
    value, headers = json.loads(again.value), {name: raw.decode() for name, raw in again.headers}
    if golden.name == FROM_A_NEWER_WRITER:
        assert set(golden.value) - set(value) == {"section"}
        assert set(golden.headers) - set(headers) == {"ce_region", "x-shift"}
    else:
        assert (value, headers) == (golden.value, golden.headers)


@pytest.mark.parametrize(("topic", "golden"), ALL)
def test_the_ids_inside_follow_from_what_they_name(topic: Topic, golden: Golden) -> None:
    event = decode(golden.wire_value, golden.wire_headers).event
    match event:
        case Article():
            assert event.article_id == Article.make_id(event.canonical_url)
        case Title(article=over):
            made = Title.make_id(over.article_id, over.revision, event.model_version, event.prompt_version)
            assert event.title_id == made
        case Correction():
            made = Correction.make_id(event.title_id, event.curator, event.verdict, event.title_after)
            assert event.correction_id == made
        case _:
            assert UUID(golden.headers["ce_id"]).version == 5


def test_every_topic_has_golden_messages_and_every_folder_a_topic() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {topic.name for topic in TOPICS}
    assert all(len(list(messages(topic))) >= 2 for topic in TOPICS)


def test_every_event_type_ends_in_its_version_and_every_version_has_its_folder() -> None:
    for topic in TOPICS:
        assert (EXAMPLES / topic.name / topic.event.type_name.rsplit(".", 1)[-1]).is_dir()
    assert len(EVENT_TYPES) == len({topic.event for topic in TOPICS})


def test_a_golden_message_with_a_misspelt_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Golden.model_validate({"name": "x", "shows": "x", "key": "x", "headers": {}, "value": {}, "heders": {}})


def test_topic_names_are_safe_for_metrics_and_unique() -> None:
    names = [name for topic in TOPICS for name in (topic.name, topic.dead_letters)]
    assert len(names) == len(set(names))
    assert not [name for name in names if "." in name or "_" in name or name != name.lower()]
