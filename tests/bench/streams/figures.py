"""What was measured, by competitor's name."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Load:
    """What a run out of a full topic did. `cpu_us` is processor time of the worker's processes per title."""

    per_s: float
    titles: int
    cpu_us: float
    repeated: int


@dataclass
class Figures:
    """A list has one entry for each round."""

    in_flight: int
    rounds: int
    seconds: float
    rate: float
    load_before: float
    """The machine's load average of the minute before: what else it was doing."""
    work_us: float = 0.0
    """Opening an article and closing a title: everybody's floor, and not the stream's."""
    with_call: dict[str, list[Load]] = field(default_factory=dict)
    pass_through: dict[str, list[Load]] = field(default_factory=dict)
    offered: dict[str, float] = field(default_factory=dict)
    """Articles per second offered while latencies were taken."""
    latency_ms: dict[str, list[list[float]]] = field(default_factory=dict)
    """Each round's latencies, sorted."""
    sizes: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    """By the size of the backlog: titles made of it, titles per second."""
    memory: list[tuple[int, float]] = field(default_factory=list)
    """Over the largest backlog: titles so far, resident MB of the worker."""
