"""Labelling request by request, several at once: dearer than a batch, done in minutes."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Sequence
from decimal import Decimal

from training.teacher.client import Busy, CannotLabel, Dropped, Garbled, Options, Refusal, Reply, Teacher
from training.teacher.job import Job, Tell, Unlabelled, Watch
from training.teacher.ledger import Failed, Ledger, Lost, NotTaken, Refused, Sent

LONGEST_PAUSE_S = 60.0


class Patience:
    """Waits between tries, longer each time, and gives up when nothing but trouble came for too long."""

    def __init__(self, first_s: float, patience_s: float) -> None:
        self._first_s, self._patience_s = first_s, patience_s
        self._troubles, self._since, self._until = 0, 0.0, 0.0

    def reset(self) -> None:
        """Something went well."""
        self._troubles = 0

    def trouble(self, words: str, wait_s: float | None = None) -> None:
        """Everybody waits a while: what the server asked for, else twice as long as before. Raises `CannotLabel`."""
        now = time.monotonic()
        if not self._troubles:
            self._since = now
        if now - self._since > self._patience_s:
            raise CannotLabel(
                f"the teacher has had nothing but trouble for {self._patience_s:.0f} s ({words}); "
                "the same command goes on where this one was"
            )
        if now >= self._until:  # else this was told to several at once: once is enough
            self._troubles += 1
        pause = min(LONGEST_PAUSE_S, self._first_s * 2 ** (self._troubles - 1)) if wait_s is None else wait_s
        self._until = max(self._until, now + pause * random.uniform(1, 1.25))

    async def over(self) -> None:
        """Returns when it is time to ask again."""
        while (left := self._until - time.monotonic()) > 0:  # noqa: ASYNC110  # somebody else may prolong it meanwhile
            await asyncio.sleep(left)


def drop(parameter: str, options: Options, ledger: Ledger, tell: Tell) -> None:
    """Leave a parameter out from now on, and say so once."""
    if options.takes(parameter):
        options.drop(parameter)
        ledger.write(NotTaken(parameter=parameter))
        more = ": it thinks as much as it likes, and that is billed" if parameter == "reasoning_effort" else ""
        tell(f"{options.model} does not take {parameter}; asked without it from now on{more}")


class Singles:
    """Asks for the keys it is given, and writes all that happens into the ledger."""

    def __init__(self, job: Job, teacher: Teacher, options: Options, ledger: Ledger, watch: Watch, tell: Tell) -> None:
        self._job, self._teacher, self._options, self._ledger = job, teacher, options, ledger
        self._watch, self._tell = watch, tell
        self._patience = Patience(job.pause_s, job.patience_s)
        self._changed = asyncio.Condition()
        self._on_way = 0
        self._left: deque[str] = deque()
        self.unlabelled = Unlabelled()

    async def label(self, keys: Sequence[str]) -> None:
        """Returns when each key has an answer, a refusal, or an entry in `unlabelled`. Raises `CannotLabel`."""
        self._left = deque(keys)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._job.at_once, len(keys))):
                    group.create_task(self._work())
        except BaseExceptionGroup as trouble:
            raise trouble.exceptions[0] from None

    async def _work(self) -> None:
        while self._left:
            await self._one(self._left.popleft())

    async def _one(self, key: str) -> None:
        tries = 0
        while tries < self._job.attempts:
            await self._patience.over()
            if not await self._reserve(key):
                self.unlabelled.too_dear.append(key)
                return
            try:
                reply = await self._teacher.ask(self._options, self._job.asked[key])
            except Busy as busy:
                self._ledger.write(Failed(key=key, why=str(busy)))
                self._patience.trouble(str(busy), busy.wait_s)
            except Dropped as dropped:
                self._ledger.write(Failed(key=key, why=f"does not take {dropped}"))
                tries += not self._options.takes(str(dropped))
                drop(str(dropped), self._options, self._ledger, self._tell)
            except Garbled as garbled:
                tries += 1
                self._ledger.write(Lost(key=key, why=str(garbled)))
                self._patience.trouble(str(garbled))
                self.unlabelled.given_up[key] = str(garbled)
            except Refusal as refusal:
                self._ledger.write(Refused(key=key, why=str(refusal)))
                return
            except CannotLabel as trouble:
                self._ledger.write(Failed(key=key, why=str(trouble)))
                raise
            else:
                self._take(key, reply)
                return
            finally:
                await self._arrived()

    def _take(self, key: str, reply: Reply) -> None:
        self._patience.reset()
        self._ledger.write(self._job.answered(key, reply, batch=False))
        self.unlabelled.given_up.pop(key, None)
        self._watch(len(self._ledger.answers), self._ledger.spent)

    async def _reserve(self, key: str) -> bool:
        """Write down that the request goes out, when the budget has room for the most it can cost.

        Where it has none, what is on its way may turn out cheaper than it could have been: that is waited for.
        """
        most = self._job.most(key, batch=False)
        async with self._changed:
            while not fits(most, self._job, self._ledger):
                if not self._on_way:
                    return False
                await self._changed.wait()
            self._on_way += 1
            self._ledger.write(Sent(key=key, most=most))
        return True

    async def _arrived(self) -> None:
        async with self._changed:
            self._on_way -= 1
            self._changed.notify_all()


def fits(most: Decimal, job: Job, ledger: Ledger) -> bool:
    """Whether the budget has room for this."""
    return job.budget is None or ledger.spent + ledger.reserved + most <= job.budget
