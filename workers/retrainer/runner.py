"""One training at a time, on all machines together, in a child process, across crashes and restarts of everything.

The database allows one running run. A lock file is held by whoever looks after the run and by the training process
itself: a free lock means that, on this machine, they are all gone, and whoever finds that ends the run, from its
result if there is one. What goes on elsewhere shows by the run's lease: once that has run out, the run is over.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO
from uuid import uuid4

from infra.registry import CHAMPION, ModelRegistry
from infra.settings import Settings
from schemas.records import TrainingRunRow
from schemas.training import FAILED, INTERRUPTED, LOG_FILE, PROGRESS_FILE, RESULT_FILE, RUNNING, RunResult
from workers.retrainer.conclude import conclude
from workers.retrainer.ledger import Ledger, Lost
from workers.retrainer.trigger import Facts

STOP_S = 10
LOG_LINES = 2
"""The last lines of a Python process that failed say why."""
TRAINING = (sys.executable, "-m", "training.run")


class Runner:
    """Starts, watches and ends runs. Not thread-safe. Raises `Unavailable` while the database is: do it again later."""

    def __init__(
        self, settings: Settings, ledger: Ledger, registry: ModelRegistry, training: Sequence[str] = TRAINING
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self.registry = registry
        self._training = training
        self._place = f"{platform.node()}:{settings.home.resolve()}"
        self._lock: IO[bytes] | None = None
        self._ours: TrainingRunRow | None = None
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, facts: Facts, *, actor: str, why: str) -> TrainingRunRow | None:
        """Start a run; None if one is under way, here or on another machine."""
        if not self._take_lock():
            return None
        begun = None
        try:
            begun = self._begin(facts, actor, why)
        finally:
            if begun is None:
                self._release()
        if begun is not None:
            self._ours, self._child = begun, self._launch(begun)
        return begun

    def watch(self) -> str | None:
        """Look after the run under way, if any. Returns how it ended, when it has; None while it goes on or is none."""
        row = self._ledger.running()
        if self._ours is not None and (row is None or row.run_id != self._ours.run_id):
            return self._give_up(f"{self._ours.model_version} was taken for dead and ended by somebody else")
        if row is None:
            return None
        try:
            if self._lives(row):
                return None
            words = self._finish(row)  # without the database all this is done again, from here
        except Lost as lost:
            return self._give_up(str(lost))
        self._ours = self._child = None
        self._release()
        return words

    def stop(self) -> None:
        """Interrupt our own run; it starts again when the trigger is asked next."""
        if self._child is None:
            return
        self._end_child()
        self.watch()

    def _begin(self, facts: Facts, actor: str, why: str) -> TrainingRunRow | None:
        run_id = uuid4()
        champion = self.registry.alias(CHAMPION)
        row = TrainingRunRow(
            run_id=run_id,
            state=RUNNING,
            model_version=f"v{self._ledger.count() + 2}-{run_id.hex[:6]}",  # v1 is the one that comes with Copydesk
            parent=champion.version if champion else None,
            corrections_used=facts.fresh.corrections,
            started_at=self._ledger.now(),
            actor=actor,
            explanation=why,
            place=self._place,
            lease_until=self._ledger.now() + timedelta(seconds=self._settings.retrain_lease_s),
        )
        return row if self._ledger.begin(row) else None

    def _launch(self, row: TrainingRunRow) -> subprocess.Popen[bytes]:
        folder = self._folder(row)
        folder.mkdir(parents=True, exist_ok=True)
        assert self._lock is not None
        with (folder / LOG_FILE).open("wb") as log:
            return subprocess.Popen(
                [*self._training, "--run-id", str(row.run_id), "--version", row.model_version],
                env=os.environ
                | self._settings.environment()
                | self._settings.secret_environment()
                | {"HF_HUB_OFFLINE": _offline(self._settings)},
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[self._lock.fileno()],
            )

    def _lives(self, row: TrainingRunRow) -> bool:
        """Whether the run goes on, so far as one can know here. Whoever can see that it does renews its lease."""
        if row.place != self._place:
            return self._lease_holds(row)
        lives = self._child.poll() is None if self._child is not None else not self._take_lock()
        if lives:
            progress = self._folder(row) / PROGRESS_FILE
            words = progress.read_text() if progress.is_file() else ""
            self._ledger.alive(row, self._settings.retrain_lease_s, words)
        return lives

    def _lease_holds(self, row: TrainingRunRow) -> bool:
        return row.lease_until is not None and row.lease_until > self._ledger.now()

    def _finish(self, row: TrainingRunRow) -> str:
        result_file = self._folder(row) / RESULT_FILE
        if result_file.is_file():
            return conclude(
                self._settings,
                self._ledger,
                self.registry,
                row,
                RunResult.model_validate_json(result_file.read_bytes()),
            )
        here = row.place == self._place
        code = self._child.returncode if self._child is not None else None
        if code is None or code < 0:
            state = INTERRUPTED
            words = "interrupted: its process was stopped or killed before it had a result; it starts again"
            if not here:
                words = f"interrupted: no sign of life from {row.place or 'its machine'}; it starts again"
        else:
            state, words = FAILED, f"failed with exit status {code}: {self._last_words(row)}"
        self._ledger.end(row, state, words, seen_dead=here)
        if here:  # half a model is of no use to anybody, and no version of this name will come
            shutil.rmtree(self._settings.artefacts / row.model_version, ignore_errors=True)
        return words

    def _give_up(self, words: str) -> str:
        self._end_child()
        self._ours = self._child = None
        self._release()
        return words

    def _end_child(self) -> None:
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _last_words(self, row: TrainingRunRow) -> str:
        log = self._folder(row) / LOG_FILE
        lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
        return " | ".join(line.strip() for line in lines[-LOG_LINES:] if line.strip()) or "it said nothing"

    def _folder(self, row: TrainingRunRow) -> Path:
        return self._settings.home / "runs" / str(row.run_id)

    def _take_lock(self) -> bool:
        if self._lock is not None:
            return True
        self._settings.home.mkdir(parents=True, exist_ok=True)
        lock = (self._settings.home / "training.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _offline(settings: Settings) -> str:
    """A base in a folder needs no hub, and without network every question to it costs seconds."""
    return "1" if Path(settings.base_model).is_dir() else "0"
