"""Directs the demo: starts the stack, lets the wheel turn once, counts, tells the story."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from copydesk.demo import census, findings
from copydesk.demo.curator import ScriptedCurator
from copydesk.demo.live import LiveView
from copydesk.demo.memory import MemoryMeter
from copydesk.demo.outcome import Outcome
from copydesk.demo.snapshot import Snapshot, look
from copydesk.feeds import read_opml, subscribe
from copydesk.stack import processes, refuse_taken_ports
from infra.database import make_engine, migrate
from infra.settings import LOOPBACK, Settings
from infra.supervisor import Supervisor

STORIES_PER_MINUTE = 150.0
CURATOR_PAUSE_S = 1.0
"""Between two titles of the scripted curator: fast for a person, slow enough to watch."""
TITLES_AFTER_SWAP = 40
"""Titles of the new champion that the demo waits for before it counts."""
SETTLE_S = 3.0
"""All articles are judged and nothing has moved for so long: the streams are at rest."""
STALLED_S = 45.0
"""Some articles are not judged and nothing has moved for so long: they are dead letters, or lost."""


@dataclass(frozen=True)
class Options:
    """What the visitor asked for."""

    once: bool
    articles: Path | None
    limit: int | None
    retrain: bool
    seed: int
    patience_s: float
    """The wheel must have turned within so many seconds, else the demo ends with what it has."""


class Demo:
    """One run of the demo on one data folder."""

    def __init__(self, options: Options, settings: Settings) -> None:
        self.options = options
        self.settings = settings
        self.desk = f"http://{LOOPBACK}:{settings.desk_port}"
        self.press = f"http://{LOOPBACK}:{settings.newsroom_port}"
        self.engine: Engine = make_engine(settings)
        self.memory = MemoryMeter()
        self.began = time.monotonic()
        self.desk_ready_seconds = 0.0
        self.champion_before = ""
        self.snapshot = Snapshot()

    @contextmanager
    def stack(self) -> Iterator[Supervisor]:
        """The whole stack, running; stopped in order on the way out."""
        refuse_taken_ports(self.settings, press=True)
        migrate(self.engine)
        with Supervisor(self.settings, processes(self.settings, newsroom=self._press_arguments())) as supervisor:
            yield supervisor

    def play(self, supervisor: Supervisor, view: LiveView) -> Outcome:
        """From the first article to the count. Raises `TimeoutError` when the stack does not come up."""
        self._wait_until_up(supervisor, view)
        subscribe(
            self.engine, read_opml(httpx.get(f"{self.press}/feeds.opml", timeout=10.0).raise_for_status().content)
        )
        with httpx.Client(base_url=self.desk, timeout=10.0) as client:
            curator = ScriptedCurator(client)
            self._turn(curator, view)
            supervisor.stop_process("scraper")  # the last article is in: what is under way runs out
            self._settle(view)
        return self._count(supervisor)

    def linger(self, supervisor: Supervisor, view: LiveView) -> None:
        """Stay up for the visitor, articles still arriving, until Ctrl-C."""
        supervisor.start_process("scraper")
        while True:
            self._look()
            view.show(f"yours now: correct some titles at {self.desk}, stop with Ctrl-C", self.snapshot)
            time.sleep(0.5)

    # --- the acts ---------------------------------------------------------------------------------------------------

    def _wait_until_up(self, supervisor: Supervisor, view: LiveView) -> None:
        deadline = time.monotonic() + 180
        addresses = {"newsroom": f"{self.press}/healthz", "desk": f"{self.desk}/healthz"}
        if not self.settings.model_server_url:
            addresses["model server"] = f"http://{LOOPBACK}:{self.settings.model_server_port}/health"
        while waiting := [name for name, address in addresses.items() if not _answers(address)]:
            if "desk" not in waiting and not self.desk_ready_seconds:
                self.desk_ready_seconds = time.monotonic() - self.began
            if time.monotonic() > deadline:
                raise TimeoutError(f"not up after 180 s: {', '.join(waiting)}. {supervisor.trouble()}")
            view.show(f"starting: waiting for {', '.join(waiting)}", self.snapshot)
            self.memory.measure()
            time.sleep(0.25)
        self.desk_ready_seconds = self.desk_ready_seconds or time.monotonic() - self.began

    def _turn(self, curator: ScriptedCurator, view: LiveView) -> None:
        """Until a new champion has written enough titles, or, without training, until the press has said all."""
        deadline = time.monotonic() + self.options.patience_s
        runs_before: int | None = None
        curator_free_at = 0.0
        while time.monotonic() < deadline:
            self._look()
            if not self.champion_before:
                # on a data folder where the wheel has turned before, that turn is the one to tell of
                self.champion_before = self.snapshot.champion_previous or self.snapshot.champion
            runs_before = self.snapshot.runs_finished if runs_before is None else runs_before
            if not self.options.articles and time.monotonic() >= curator_free_at:
                curator.work(limit=1)
                curator_free_at = time.monotonic() + CURATOR_PAUSE_S
            view.show(self._phase(), self.snapshot)
            if self._turned(runs_before):
                return
            time.sleep(0.25)

    def _turned(self, runs_before: int) -> bool:
        if not self.options.retrain:
            return self._press_exhausted()
        if self.snapshot.runs_finished > runs_before and self.snapshot.run_state == "failed":
            return True  # it would fail again: that is the outcome, and it is told
        # where the gate refuses, the curator goes on: the next version learns from more
        swapped = self.snapshot.champion != self.champion_before and bool(self.champion_before)
        return swapped and self.snapshot.titles_by(self.snapshot.champion) >= TITLES_AFTER_SWAP

    def _settle(self, view: LiveView) -> None:
        """Until every article has a judged title and all is quiet, or nothing has moved for long."""
        last, since = Snapshot(), time.monotonic()
        while True:
            self._look()
            if self.snapshot != last:
                last, since = self.snapshot, time.monotonic()
            complete = self.snapshot.articles == self.snapshot.titles == self.snapshot.scored
            if time.monotonic() - since > (SETTLE_S if complete else STALLED_S):
                return
            view.show("the last articles run out, then everything is counted", self.snapshot)
            time.sleep(0.5)

    def _count(self, supervisor: Supervisor) -> Outcome:
        counted = census.take(self.settings)
        return findings.gather(
            self.engine,
            counted,
            home=self.settings.home,
            champion_before=self.champion_before,
            restarts={name: state.restarts for name, state in supervisor.states().items() if state.restarts},
            memory_peak_mb=self.memory.peak_mb,
            desk_ready_seconds=self.desk_ready_seconds,
            seconds=time.monotonic() - self.began,
            desk=self.desk,
        )

    # --- looking ----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        self.memory.measure()
        try:
            self.snapshot = look(self.engine)
        except OperationalError:  # busy for a moment: the last look stands
            return

    def _phase(self) -> str:
        shot, needed = self.snapshot, self.settings.retrain_min_corrections
        if self.options.articles:
            return "real articles on their way through feed, page, model and scorer"
        if not self.options.retrain:
            return "articles on their way; training is off (--no-retrain)"
        if self.champion_before and shot.champion != self.champion_before:
            return f"{shot.champion} is champion and writes the titles of new articles"
        if shot.run_state == "running":
            return shot.run_explanation or "training"
        if shot.run_state == "refused":
            return f"{shot.run_explanation}; the scripted curator goes on"
        return f"the scripted curator corrects: {shot.corrected} corrections, training starts at {needed}"

    def _press_arguments(self) -> list[str]:
        options = self.options
        arguments = ["--per-minute", str(STORIES_PER_MINUTE), "--seed", str(options.seed)]
        if options.articles:
            arguments += ["--articles", str(options.articles.resolve())]
        if options.limit:
            arguments += ["--limit" if options.articles else "--total", str(options.limit)]
        return arguments

    def _press_exhausted(self) -> bool:
        """True when the press has no more to say and the scraper has dealt with all of it."""
        press = httpx.get(f"{self.press}/healthz", timeout=10.0).raise_for_status().json()
        return bool(press["complete"]) and findings.items_handled(self.engine) >= int(press["articles"])


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
