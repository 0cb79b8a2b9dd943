"""A lane whose first message is never done; run as a process by test_defects.py. Prints every offset it commits."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from faust.types import TP

from schemas.envelope import Envelope, encode
from schemas.errors import Invalid
from tests.samples import NOW, make_article
from tests.stream.harness import Bench, RecordingThread
from workers.dead_letter_limit import DeadLetterLimit
from workers.window import Outlet

FIRST_KEY = make_article(10).key


async def handle(envelope: Envelope, _: Outlet) -> None:
    """The message at offset 10 meets what the command line names; all others are done at once."""
    if envelope.event.key != FIRST_KEY:
        return
    match sys.argv[1]:
        case "bug":
            raise RuntimeError("a bug")
        case "cancelled":
            raise asyncio.CancelledError
        case "poison":
            raise Invalid("the ninth in a row")
        case "thrown":
            await asyncio.Event().wait()


class TellingThread(RecordingThread):
    """Commits for all to see, whatever becomes of the process."""

    async def commit(self, offsets: dict[TP, int]) -> bool:
        print(*offsets.values(), flush=True)
        return True


async def work(home: Path) -> None:
    """Deliver three messages, then commit what can be committed until somebody ends the process."""
    bench = Bench(home, handle)
    bench.thread = TellingThread()
    bench.window._limit = DeadLetterLimit(share=0.5, least=1)
    await bench.start(committed=10)
    for offset in (10, 11, 12):
        message = encode(make_article(offset), source="test", time=NOW)
        await bench.deliver(offset, message.value, message.headers)
    if sys.argv[1] == "thrown":
        app: Any = bench.app
        for topic in app.topics._topics:
            await topic.throw(RuntimeError("Faust throws into the stream what it cannot read"))
    for _ in range(20):
        await asyncio.sleep(0.05)
        await bench.consumer.commit()
    os._exit(0)  # nobody has ended it: no need to wait for what hangs


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(Path(folder)))
