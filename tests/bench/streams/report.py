"""The figures as Markdown: ratios first, then what they are made of."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

import psutil

from schemas.envelope import encode
from tests.bench.streams.competitors.table import COPYDESK, LATENCY, PASS_THROUGH, TRACED, WITH_CALL
from tests.bench.streams.figures import Figures, Load
from tests.bench.streams.job import answer
from tests.samples import NOW, make_article

MARKS = ("<!-- figures: written by make bench-streams -->", "<!-- end of figures -->")
CURVE_ROWS = 11
NONE = "–"


def work_us() -> float:
    """Microseconds that opening an article and closing a title take in this environment; the best of five."""
    message = encode(make_article(), source="bench", time=NOW)
    rounds, best = 500, float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(rounds):
            answer(message.value, list(message.headers))
        best = min(best, (time.perf_counter() - began) / rounds)
    return best * 1e6


def markdown(figures: Figures) -> str:
    """The whole section."""
    parts = [_machine(figures), _how(figures), "### Ratios", _ratios(figures)]
    parts += ["### With the 20 ms call", _loads(figures.with_call)]
    parts += ["### Pass-through: no call", _loads(figures.pass_through)]
    parts += ["### Latency below saturation, with the 20 ms call", _latencies(figures)]
    if figures.sizes:
        parts += ["### Cost and memory over a backlog", _sizes(figures), _curve(figures)]
    return "\n\n".join(parts) + "\n"


def write_between_marks(path: Path, text: str) -> None:
    """Put the section where the document wants it; raises ValueError if its marks are gone."""
    head, rest = path.read_text().split(MARKS[0])
    _, tail = rest.split(MARKS[1])
    path.write_text(f"{head}{MARKS[0]}\n\n{text}\n{MARKS[1]}{tail}")


def _machine(figures: Figures) -> str:
    return (
        f"Measured on {time.strftime('%d %B %Y at %H:%M', time.gmtime())} UTC: {_processor()}, {psutil.cpu_count()} "
        f"cores, {psutil.virtual_memory().total / 2**30:.0f} GB, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}. Broker, feeder and worker share this one machine; its load average in "
        f"the minute before was {figures.load_before:.1f}."
    )


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _how(figures: Figures) -> str:
    return (
        f"{figures.in_flight} messages in flight, 4 partitions, {figures.rounds} interleaved rounds of "
        f"{figures.seconds:g} s, medians (least to most). Opening an article and closing a title takes everybody "
        f"{figures.work_us:.0f} µs of processor time; that alone caps a worker at {1e6 / figures.work_us:.0f} events/s."
    )


def _ratios(figures: Figures) -> str:
    rates = {name: _rate(loads) for name, loads in figures.with_call.items()}
    through = {name: _rate(loads) for name, loads in figures.pass_through.items()}
    p50 = {name: median(_share(run, 0.5) for run in runs) for name, runs in figures.latency_ms.items()}
    p99 = {name: median(_share(run, 0.99) for run in runs) for name, runs in figures.latency_ms.items()}
    rows = [
        (f"**{other.name}**", other.guarantee, *(_ratio(values, other.name) for values in (rates, through, p50, p99)))
        for other in dict.fromkeys((*WITH_CALL, *PASS_THROUGH))
        if other != COPYDESK and (other.name in rates or other.name in through)
    ]
    head = ("Copydesk against", "which is", "events/s with call", "events/s pass-through", "latency p50", "latency p99")
    words = "Copydesk's figure divided by the other's. Events/s: above 1 we win. Latency: below 1 we win."
    return f"{words}\n\n{_table(head, rows)}"


def _ratio(values: dict[str, float], other: str) -> str:
    if COPYDESK.name not in values or other not in values:
        return NONE
    return f"{values[COPYDESK.name] / values[other]:.2f}"


def _rate(loads: Sequence[Load]) -> float:
    return median(load.per_s for load in loads)


def _loads(measured: dict[str, list[Load]]) -> str:
    described = {one.name: one for one in (*WITH_CALL, *PASS_THROUGH, TRACED)}
    rows = []
    for name, loads in sorted(measured.items(), key=lambda item: -_rate(item[1])):
        rates = [load.per_s for load in loads]
        rows.append(
            (
                name,
                described[name].guarantee,
                described[name].concurrency,
                f"**{median(rates):.0f}** ({min(rates):.0f} to {max(rates):.0f})",
                f"{median(load.cpu_us for load in loads):.0f} µs",
                str(sum(load.repeated for load in loads)),
            )
        )
    return _table(("", "guarantee", "at the same time", "events/s", "processor per event", "repeated"), rows)


def _latencies(figures: Figures) -> str:
    rows = []
    for one in LATENCY:
        runs = figures.latency_ms.get(one.name, [])
        if runs:
            shares = [[_share(run, share) for run in runs] for share in (0.5, 0.95, 0.99)]
            spread = [f"**{median(values):.0f}** ({min(values):.0f} to {max(values):.0f})" for values in shares]
            rows.append((one.name, f"{figures.offered[one.name]:.0f}/s", *spread))
    words = "Milliseconds from when an article was due on its topic to when its title lay on the next one."
    return f"{words}\n\n{_table(('', 'offered', 'p50', 'p95', 'p99'), rows)}"


def _share(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _sizes(figures: Figures) -> str:
    rows = []
    for size, runs in figures.sizes.items():
        rate = median(per_s for _, per_s in runs)
        done = min(titles for titles, _ in runs)
        rows.append((f"{size:,}", f"{done:,}", f"**{rate:.0f}**", f"{1e6 / rate:.0f} µs", str(len(runs))))
    words = "Copydesk, pass-through, small articles, from the first title to the last."
    return f"{words}\n\n{_table(('backlog', 'worked through', 'events/s', 'time per event', 'rounds'), rows)}"


def _curve(figures: Figures) -> str:
    last = len(figures.memory) - 1
    chosen = sorted({round(last * row / (CURVE_ROWS - 1)) for row in range(CURVE_ROWS)})
    rows = [(f"{figures.memory[at][0]:,}", f"{figures.memory[at][1]:.0f} MB") for at in chosen]
    words = f"Resident memory of the worker while it works through {max(figures.sizes):,} waiting messages:"
    return f"{words}\n\n{_table(('titles so far', 'resident'), rows)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
