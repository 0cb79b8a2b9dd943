"""The desk's way to the broker: a verdict that was refused to the curator must not go out behind their back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from infra.kafka import create_topics, read_whole
from infra.settings import Settings
from schemas.envelope import Message, encode
from schemas.errors import Transient
from schemas.topics import ARTICLES
from tests.ground import Broker
from tests.samples import NOW, make_article
from workers.desk.post import Post

LONG_ENOUGH_S = 4.0
"""A producer that still has something to send asks for its broker every second at most."""


@pytest.mark.timeout(200)
def test_what_was_not_acknowledged_in_time_is_never_sent(own_broker: Broker, tmp_path: Path) -> None:
    own_broker.start()
    settings = Settings(home=tmp_path / "home", kafka_port=own_broker.settings.kafka_port)
    create_topics(settings)
    post = Post(settings, patience_s=2)

    def send(number: int) -> bytes:
        message: Message = encode(make_article(number), source="test", time=NOW)
        post([(ARTICLES, message)])
        return message.key

    first = send(1)
    own_broker.kill()
    with pytest.raises(Transient, match="not acknowledged"):
        send(2)
    own_broker.start()
    third = send(3)
    time.sleep(LONG_ENOUGH_S)
    assert {record.key for record in read_whole(settings, ARTICLES.name)} == {first, third}
    post.close()
