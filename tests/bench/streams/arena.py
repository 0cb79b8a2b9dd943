"""One broker, topics, and competitors in processes of their own; what came out is read from the broker afterwards.

The sink's times are the broker's own (LogAppendTime), so that nobody's clock or buffer flatters him.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from kafka import KafkaAdminClient

from infra.kafka import bounds, client_config, read_one, read_whole
from infra.settings import Settings
from tests.bench.streams.competitors.table import Competitor
from tests.bench.streams.figures import Load
from tests.bench.streams.job import Job
from tests.ground import environment_for, wait_until

ROOT = Path(__file__).parents[3]
FOREIGN_PYTHON = ROOT / ".venv-bench/bin/python"
PARTITIONS = 4
START_S = 90.0
STALLED_S = 60.0
SETTLE_S = 1.0
"""Cut off after the first title: filling the window is not the steady state."""
SETTLE_TOGETHER_S = 5.0
"""The same for several processes, which have to share the partitions out among themselves first."""
WARM_UP = 100


class Arena:
    """What all competitors share: the broker and the number of messages in flight."""

    def __init__(self, settings: Settings, in_flight: int, logs: Path) -> None:
        self.settings = settings
        self.in_flight = in_flight
        self.logs = logs
        self._numbers = itertools.count(1)

    def topic(self, purpose: str) -> str:
        """A fresh topic."""
        name = f"bench-{purpose}-{next(self._numbers)}"
        configs = {"message.timestamp.type": "LogAppendTime"} if purpose == "sink" else {}
        admin = KafkaAdminClient(**client_config(self.settings))
        try:
            admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": configs}})
            admin.wait_for_topics([name], timeout_ms=30_000)
        finally:
            admin.close()
        return name

    def drop(self, *names: str) -> None:
        """Topics that are done with: the disk is not endless."""
        admin = KafkaAdminClient(**client_config(self.settings))
        try:
            admin.delete_topics(list(names))
        finally:
            admin.close()

    def feed(self, topic: str, count: int, *, start: int = 0, rate: float = 0.0, small: bool = False) -> None:
        """Returns when all are on the topic."""
        command = [str(FOREIGN_PYTHON), "-m", "tests.bench.streams.feed", self.settings.bootstrap, topic, str(count)]
        command += ["--start", str(start), "--rate", str(rate), *(["--small"] if small else [])]
        subprocess.run(command, cwd=ROOT, check=True)

    @contextmanager
    def working(self, competitor: Competitor, source: str, sink: str, call_s: float) -> Iterator[list[psutil.Process]]:
        """The competitor at work, in fresh processes and a consumer group of its own."""
        group = f"bench-{next(self._numbers)}"
        job = Job(
            bootstrap=self.settings.bootstrap,
            home=str(self.settings.home),
            source=source,
            sink=sink,
            group=group,
            partitions=PARTITIONS,
            in_flight=self.in_flight,
            call_s=call_s,
        )
        python = str(FOREIGN_PYTHON) if competitor.foreign else sys.executable
        command = [python, "-m", f"tests.bench.streams.competitors.{competitor.module}", job.to_argument()]
        environment = environment_for(self.settings) | {"BENCH_TRACED": "1" if competitor.traced else "0"}
        running: list[subprocess.Popen[bytes]] = []
        with (self.logs / f"{group}-{competitor.module}.log").open("wb") as log:
            try:
                for _ in range(competitor.processes):
                    running.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
                yield [psutil.Process(process.pid) for process in running]
                for process in running:
                    if process.poll() is not None:
                        raise RuntimeError(f"{competitor.name} ended by itself: see {log.name}")
            finally:
                for process in running:
                    process.terminate()
                for process in running:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(10)
                    process.kill()
                    process.wait()

    def titles_on(self, topic: str) -> int:
        return sum(end for _, end in bounds(self.settings, topic).values())

    def backlog(self, competitor: Competitor, source: str, call_s: float, limit_s: float) -> Load:
        """Titles per second out of a topic that is full before the competitor starts, for `limit_s` or to its end."""
        sink, articles = self.topic("sink"), self.titles_on(source)
        settle_s = SETTLE_TOGETHER_S if competitor.processes > 1 else SETTLE_S
        with self.working(competitor, source, sink, call_s) as processes:
            wait_until(lambda: self._some(sink, processes), START_S)
            began, spent, first = time.monotonic(), cpu_seconds(processes), self.titles_on(sink)
            while (count := self.titles_on(sink)) < articles and time.monotonic() < began + settle_s + limit_s:
                time.sleep(1.0)  # asking costs the machine something too
            spent = cpu_seconds(processes) - spent
        records = list(read_whole(self.settings, sink))
        self.drop(sink)
        distinct = len({record.key for record in records})
        if lost := articles - distinct if count >= articles else 0:
            raise RuntimeError(f"{competitor.name} lost {lost} articles though nothing failed")
        begin = min(record.timestamp for record in records) + 1000 * settle_s
        end = min(max(record.timestamp for record in records), begin + 1000 * limit_s)
        steady = sum(begin < record.timestamp <= end for record in records)
        return Load(
            per_s=1000 * steady / (end - begin),
            titles=len(records),
            cpu_us=1e6 * spent / max(1, count - first),
            repeated=len(records) - distinct,
        )

    def latencies(self, competitor: Competitor, call_s: float, rate: float, seconds: float) -> list[float]:
        """Milliseconds from when an article was due on the topic to when its title lay on the sink, sorted."""
        source, sink = self.topic("articles"), self.topic("sink")
        count = int(rate * seconds)
        with self.working(competitor, source, sink, call_s) as processes:
            self.feed(source, WARM_UP)
            wait_until(lambda: self._some(sink, processes) and self.titles_on(sink) >= WARM_UP, START_S)
            self.feed(source, count, start=WARM_UP, rate=rate)
            wait_until(lambda: self.titles_on(sink) >= WARM_UP + count, START_S)
        out = {record.key: record.timestamp for record in read_whole(self.settings, sink)}
        articles = sorted(read_whole(self.settings, source), key=lambda record: record.timestamp)
        self.drop(source, sink)
        return sorted(float(out[record.key] - record.timestamp) for record in articles[WARM_UP:])

    def whole(
        self, competitor: Competitor, source: str, sample_s: float, limit_s: float
    ) -> tuple[int, float, list[tuple[int, float]]]:
        """A backlog to its end or for `limit_s`: titles, titles per second, and now and then (titles so far, resident
        MB of the worker).
        """
        sink, articles = self.topic("sink"), self.titles_on(source)
        samples: list[tuple[int, float]] = []
        with self.working(competitor, source, sink, 0.0) as processes:
            wait_until(lambda: self._some(sink, processes), START_S)
            seen, began = 0, time.monotonic()
            since = began
            while (count := self.titles_on(sink)) < articles and time.monotonic() < began + limit_s:
                if count > seen:
                    seen, since = count, time.monotonic()
                elif time.monotonic() - since > STALLED_S:
                    raise RuntimeError(f"{competitor.name} stands still after {count} of {articles}")
                samples.append((count, resident_mb(processes)))
                time.sleep(sample_s)
            samples.append((count, resident_mb(processes)))
        ends = bounds(self.settings, sink)
        first = [read_one(self.settings, sink, number, 0) for number in ends]
        last = [read_one(self.settings, sink, number, end - 1) for number, (_, end) in ends.items()]
        span_ms = max(record.timestamp for record in last if record) - min(r.timestamp for r in first if r)
        self.drop(sink)
        count = sum(end for _, end in ends.values())
        return count, 1000 * count / span_ms, samples

    def _some(self, sink: str, processes: list[psutil.Process]) -> int:
        for process in processes:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                raise RuntimeError(f"a worker ended before its first title: see the last log in {self.logs}")
        return self.titles_on(sink)


def cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def resident_mb(processes: list[psutil.Process]) -> float:
    return sum(process.memory_info().rss for process in processes) / 2**20
