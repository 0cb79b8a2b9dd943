"""The guide for other teams: its example runs as written, and its tables say what the schema says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.kafka import make_producer, send_acked
from infra.settings import Settings
from schemas.envelope import Message
from schemas.events import ScoredTitle
from schemas.golden import messages
from schemas.topics import MAX_MESSAGE_BYTES, PUBLISHED
from tests.ground import wait_until

DOCS = Path(__file__).parents[3] / "docs"


@contextmanager
def example(settings: Settings, output: Path) -> Iterator[None]:
    """The guide's consumer as its own process, printing into `output`."""
    command = [sys.executable, str(DOCS / "examples" / "read_published.py"), settings.bootstrap, "my-service"]
    with output.open("ab") as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def send(settings: Settings, names: set[str]) -> None:
    chosen = [golden for golden in messages(PUBLISHED) if golden.name in names]
    producer = make_producer(settings, "test")
    pairs = [(PUBLISHED, Message(golden.key.encode(), golden.wire_value, golden.wire_headers)) for golden in chosen]
    send_acked(producer, pairs)
    producer.close()


def test_the_example_prints_every_title_and_goes_on_where_it_was(settings: Settings, tmp_path: Path) -> None:
    output = tmp_path / "printed"
    send(settings, {"by-model"})
    with example(settings, output):
        wait_until(lambda: "Meridian gives away Tern 2, a model for laptops  (v2-20261102" in output.read_text(), 90)
    send(settings, {"corrected-by-curator"})
    with example(settings, output):
        wait_until(lambda: "a language model for laptops  (a person" in output.read_text(), 90)


def test_every_field_the_guide_names_exists() -> None:
    guide = (DOCS / "consume-the-events.md").read_text(encoding="utf-8")
    section = guide.split("## The fields you need")[1].split("## Three rules")[0]
    named = {name for line in section.splitlines() for name in re.findall(r"`(\w+)`", line.split(" | ")[0])}
    assert len(named) > 10
    assert named <= set(ScoredTitle.model_fields)
    assert f"`{ScoredTitle.type_name}`" in guide
    assert f"{MAX_MESSAGE_BYTES // 1024**2} MiB" in guide
    assert f"{PUBLISHED.partitions} in production" in guide
