"""Print every finished title. Needs nothing of Copydesk: `pip install kafka-python`, then
`python read_published.py localhost:29092 my-service`.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer


def read_published(bootstrap: str, group: str, keep: Callable[[str, dict[str, Any]], None]) -> None:
    """Call `keep(event_id, title)` for each event; it must be safe to call twice with the same id."""
    consumer = KafkaConsumer(
        "published",
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",  # the topic is kept for ever: start with everything there is
        enable_auto_commit=False,
    )
    for message in consumer:
        headers = {name: value.decode() for name, value in message.headers if name.startswith("ce_")}
        if headers.get("ce_type") == "copydesk.scored-title.v1":
            keep(headers["ce_id"], json.loads(message.value))
        consumer.commit()  # only now: a crash before this line brings the same message again


def show(event_id: str, title: dict[str, Any]) -> None:
    by = "a person" if title["verdict"] else title["model_version"]
    print(f"{title['article_id']} r{title['revision']}  {title['text']}  ({by}, event {event_id})", flush=True)


if __name__ == "__main__":
    read_published(sys.argv[1], sys.argv[2], show)
