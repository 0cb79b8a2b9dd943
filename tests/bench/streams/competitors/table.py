"""Who takes part, in which environment, and what each really promises."""

from __future__ import annotations

from dataclasses import dataclass

AT_LEAST_ONCE, AT_MOST_ONCE = "at least once", "at most once"


@dataclass(frozen=True)
class Competitor:
    """A worker program: `module` lies beside this file."""

    name: str
    module: str
    guarantee: str
    concurrency: str
    """What runs at the same time when a message takes its 20 ms."""
    foreign: bool = False
    """Runs in .venv-bench: its dependencies are not ours."""
    processes: int = 1
    traced: bool = False
    serial: bool = False
    """One message at a time per process: the call's 20 ms are its ceiling."""


COPYDESK = Competitor("Copydesk", "copydesk_stream", AT_LEAST_ONCE, "sliding window")
TRACED = Competitor("Copydesk, traced", "copydesk_stream", AT_LEAST_ONCE, "sliding window", traced=True)
PLAIN = Competitor("aiokafka by hand", "plain_aiokafka", AT_LEAST_ONCE, "batches")
FASTSTREAM = Competitor(
    "FastStream", "faststream_workers", AT_LEAST_ONCE, "one message per partition (4)", foreign=True
)
FASTSTREAM_BATCH = Competitor(
    "FastStream, batches", "faststream_batch", AT_LEAST_ONCE, "batches, gathered by the handler", foreign=True
)
QUIX = Competitor("Quix Streams", "quix_streams", AT_LEAST_ONCE, "none in a process", foreign=True, serial=True)
QUIX_4 = Competitor("Quix Streams × 4", "quix_streams", AT_LEAST_ONCE, "4 processes", foreign=True, processes=4)
FAUST = Competitor("Faust, naive", "faust_naive", AT_MOST_ONCE, "concurrent agents")

WITH_CALL = (COPYDESK, PLAIN, FASTSTREAM, FASTSTREAM_BATCH, QUIX, QUIX_4, FAUST)
PASS_THROUGH = (COPYDESK, TRACED, PLAIN, FASTSTREAM, FASTSTREAM_BATCH, QUIX, FAUST)
LATENCY = (COPYDESK, PLAIN, FASTSTREAM, FASTSTREAM_BATCH, QUIX, FAUST)
