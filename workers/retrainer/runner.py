"""One training at a time, in a child process, across crashes and restarts of everything involved.

A lock file is held by whoever looks after the run and by the training process itself. So a run that is marked as
running and whose lock is free has lost them all: whoever finds it ends it, from its result if there is one.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import IO
from uuid import uuid4

from infra.registry import CHAMPION, Conflict, ModelRegistry
from infra.settings import Settings
from schemas.errors import Unavailable
from schemas.records import ModelVersionRow, TrainingRunRow
from schemas.training import LOG_FILE, PROGRESS_FILE, RESULT_FILE, RunResult
from workers.retrainer.ledger import FAILED, INTERRUPTED, PROMOTED, REFUSED, Ledger
from workers.retrainer.trigger import Facts

STOP_S = 10
LOG_LINES = 2
"""The last lines of a Python process that failed say why."""


class Runner:
    """Starts, watches and ends runs. Not thread-safe. Raises `Unavailable` while the database is: do it again later."""

    def __init__(self, settings: Settings, ledger: Ledger, registry: ModelRegistry) -> None:
        self._settings = settings
        self._ledger = ledger
        self.registry = registry
        self._lock: IO[bytes] | None = None
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, facts: Facts, *, actor: str, why: str) -> TrainingRunRow | None:
        """Start a run; None if somebody else's is under way."""
        if not self._take_lock():
            return None
        run_id = uuid4()
        try:
            if self._ledger.running() is not None:  # left over; it is ended first
                self._release()
                return None
            version = f"v{self._ledger.count() + 2}-{run_id.hex[:6]}"  # v1 is the one that comes with Copydesk
            champion = self.registry.alias(CHAMPION)
            self._ledger.begin(run_id, version, champion.version if champion else None, facts, actor, why)
        except Unavailable:
            self._release()
            raise
        folder = self._folder(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        assert self._lock is not None
        with (folder / LOG_FILE).open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "training.run", "--run-id", str(run_id), "--version", version],
                env=os.environ
                | self._settings.environment()
                | self._settings.secret_environment()
                | {"HF_HUB_OFFLINE": _offline(self._settings)},
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[self._lock.fileno()],
            )
        return self._ledger.running()

    def watch(self) -> str | None:
        """Look after the run under way, if any. Returns how it ended, when it has; None while it goes on or is none."""
        row = self._ledger.running()
        if row is None:
            return None
        ours = self._child is not None
        if (self._child.poll() is None) if self._child is not None else not self._take_lock():
            self._pass_on_progress(row)
            return None
        code = self._child.returncode if self._child is not None else None
        words = self._finish(row, code if ours else None)  # without the database all this is done again, from here
        self._child = None
        self._release()
        return words

    def stop(self) -> None:
        """Interrupt our own run; it starts again when the trigger is asked next."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self.watch()

    def _finish(self, row: TrainingRunRow, code: int | None) -> str:
        result_file = self._folder(row.run_id) / RESULT_FILE
        if result_file.is_file():
            return self._conclude(row, RunResult.model_validate_json(result_file.read_bytes()))
        if code is None or code < 0:
            words = "interrupted: its process was stopped or killed before it had a result; it starts again"
            self._ledger.end(row.run_id, INTERRUPTED, words)
            return words
        words = f"failed with exit status {code}: {self._last_words(row)}"
        self._ledger.end(row.run_id, FAILED, words)
        return words

    def _conclude(self, row: TrainingRunRow, result: RunResult) -> str:
        """Register the version whatever the gate said; promote it if it passed. Every step may be repeated."""
        self.registry.register(version_row(result, row))
        if result.gate.passed:
            state, words = self._promote(result)
        else:
            state, words = REFUSED, f"{result.model_version} {result.gate.verdict}"
        self._ledger.end(row.run_id, state, words, result)
        return words

    def _promote(self, result: RunResult) -> tuple[str, str]:
        version = result.model_version
        alias = self.registry.alias(CHAMPION)
        if alias is not None and alias.version == version:  # promoted just before a crash
            return PROMOTED, f"{version} is champion: {result.gate.verdict}"
        if (alias.version if alias else None) != result.parent:
            return REFUSED, f"{version} was compared with {result.parent}, but the champion has changed meanwhile"
        try:
            self.registry.set_alias(
                CHAMPION,
                version,
                expected_sequence=alias.sequence if alias else 0,
                actor="retrainer",
                reason=f"training run {result.run_id}",
                gate_verdict=result.gate.verdict,
            )
        except Conflict as conflict:
            return REFUSED, f"{version} passed the gate, but {conflict}"
        return PROMOTED, f"{version} is champion: {result.gate.verdict}"

    def _pass_on_progress(self, row: TrainingRunRow) -> None:
        progress = self._folder(row.run_id) / PROGRESS_FILE
        if progress.is_file():
            self._ledger.tell(row.run_id, progress.read_text())

    def _last_words(self, row: TrainingRunRow) -> str:
        log = self._folder(row.run_id) / LOG_FILE
        lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
        return " | ".join(line.strip() for line in lines[-LOG_LINES:] if line.strip()) or "it said nothing"

    def _folder(self, run_id: object) -> Path:
        return self._settings.home / "runs" / str(run_id)

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


def version_row(result: RunResult, row: TrainingRunRow) -> ModelVersionRow:
    """The registry's entry for a finished run."""
    return ModelVersionRow(
        version=result.model_version,
        artefact_uri=result.artefact,
        digest=result.digest,
        base_model=result.base_model,
        base_revision=result.base_revision,
        dataset_hash=result.dataset_hash,
        prompt_version=result.prompt_version,
        prompt_digest=result.prompt_digest,
        parent=result.parent,
        config=result.config,
        metrics=result.gate.after.model_dump(mode="json"),
        created_at=row.started_at,
    )


def _offline(settings: Settings) -> str:
    """A base in a folder needs no hub, and without network every question to it costs seconds."""
    return "1" if Path(settings.base_model).is_dir() else "0"
