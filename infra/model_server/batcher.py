"""The one thread that touches the model, and the queue in front of it.

Waiting requests go through the model in batches: the oldest one leads, and the others of its adapter whose length
comes closest join it. Loading an adapter happens between two batches; unloading waits until every request that came
before it has its answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Literal, Protocol

from infra.observability import metrics

MAX_BATCH = 16
MAX_WAIT_S = 0.015
"""How long a lone request waits for company."""
MAX_QUEUE = 256
LOOK_AHEAD = 64
"""Among so many waiting requests companions are looked for."""


@dataclass(frozen=True)
class Prompt:
    """One row of a batch. `token_ids` is a whole prompt by the model's chat template; temperature 0 is greedy."""

    token_ids: tuple[int, ...]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


@dataclass(frozen=True)
class Completion:
    """`output_tokens` counts the end mark, if the model set one."""

    text: str
    output_tokens: int
    finish_reason: Literal["stop", "length"]


class QueueFull(Exception):
    """More requests wait than the server is willing to hold."""


class Decoder(Protocol):
    """What the batcher needs of the engine."""

    def complete(self, adapter: str, prompts: list[Prompt]) -> list[Completion]:
        """Answer a batch."""


@dataclass(eq=False)
class Job:
    """A request on its way to the model."""

    adapter: str
    prompt: Prompt
    answer: Future[Completion] = field(default_factory=Future)


@dataclass(eq=False)
class Call:
    """A change of the model, to be made while no batch runs."""

    act: Callable[[], None]
    done: Future[None] = field(default_factory=Future)


def choose(waiting: list[Job]) -> list[Job]:
    """The next batch: the oldest request, and those of its adapter that are closest to it in length."""
    lead = waiting[0]
    length = len(lead.prompt.token_ids)
    mates = [job for job in waiting[1:LOOK_AHEAD] if job.adapter == lead.adapter]
    mates.sort(key=lambda job: abs(len(job.prompt.token_ids) - length))
    return [lead, *mates[: MAX_BATCH - 1]]


class Batcher:
    """Use as a context manager; leaving it answers what waits and ends the thread."""

    def __init__(self, engine: Decoder) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        self._jobs: list[Job] = []
        self._now: list[Call] = []
        self._after: list[tuple[frozenset[Job], Call]] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def __enter__(self) -> Batcher:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def submit(self, adapter: str, prompt: Prompt) -> Future[Completion]:
        """Queue a request. Cancelling the future before its batch starts takes it out. Raises `QueueFull`."""
        job = Job(adapter, prompt)
        with self._changed:
            if len(self._jobs) >= MAX_QUEUE:
                raise QueueFull(f"{len(self._jobs)} requests are waiting")
            self._jobs.append(job)
            metrics.SERVER_QUEUE.set(len(self._jobs))
            self._changed.notify()
        return job.answer

    def between_batches(self, act: Callable[[], None]) -> Future[None]:
        """Run `act` on the model's thread before the next batch."""
        call = Call(act)
        with self._changed:
            self._now.append(call)
            self._changed.notify()
        return call.done

    def after_adapter(self, adapter: str, act: Callable[[], None]) -> Future[None]:
        """Run `act` once every request that now waits for `adapter` is answered; the caller lets no new one in."""
        call = Call(act)
        with self._changed:
            waits_for = frozenset(job for job in self._jobs if job.adapter == adapter)
            self._after.append((waits_for, call))
            self._changed.notify()
        return call.done

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._now or self._after or self._closing)
                if self._closing and not (self._jobs or self._now or self._after):
                    return
                if self._jobs and not self._closing:
                    self._wait_for_company()
                calls = self._due_calls()
                batch = self._take_batch()
            for call in calls:
                _settle(call)
            if batch:
                self._answer(batch)

    def _wait_for_company(self) -> None:
        deadline = monotonic() + MAX_WAIT_S
        while len(self._jobs) < MAX_BATCH and not self._now and (left := deadline - monotonic()) > 0:
            self._changed.wait(left)

    def _due_calls(self) -> list[Call]:
        waiting = set(self._jobs)
        due = [call for blockers, call in self._after if not blockers & waiting]
        self._after = [(blockers, call) for blockers, call in self._after if blockers & waiting]
        due, self._now = self._now + due, []
        return due

    def _take_batch(self) -> list[Job]:
        if not self._jobs:
            return []
        batch = choose(self._jobs)
        taken = set(batch)
        self._jobs = [job for job in self._jobs if job not in taken]
        metrics.SERVER_QUEUE.set(len(self._jobs))
        return [job for job in batch if job.answer.set_running_or_notify_cancel()]

    def _answer(self, batch: list[Job]) -> None:
        try:
            metrics.SERVER_BATCH.observe(len(batch))
            with metrics.SERVER_SECONDS.time():
                completions = self._engine.complete(batch[0].adapter, [job.prompt for job in batch])
        except BaseException as error:  # the waiting requests must hear of it, whatever it is
            for job in batch:
                job.answer.set_exception(error)
            return
        for job, completion in zip(batch, completions, strict=True):
            job.answer.set_result(completion)


def _settle(call: Call) -> None:
    if not call.done.set_running_or_notify_cancel():
        return
    try:
        call.act()
    except BaseException as error:  # handed to the caller, who knows what it means
        call.done.set_exception(error)
    else:
        call.done.set_result(None)
