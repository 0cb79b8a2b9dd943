"""Scores several titles together: what waits while one batch is at work is the next batch.

No timer: an idle scorer starts at once, a busy one collects. Under load batches are as large as the window allows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Calls `work` with up to `most` items at a time in `executor`, one call after the other.

    `work` gives one result per item, in their order; what it raises is raised to everybody who waits for that batch.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], executor: Executor, most: int) -> None:
        self._work = work
        self._executor = executor
        self._most = most
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._drain: asyncio.Task[None] | None = None  # held: the loop itself keeps only weak references to tasks

    async def submit(self, item: Item) -> Result:
        """Wait for the item's result. A caller that is cancelled leaves the batch of the others alone."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        await asyncio.sleep(0)  # whoever is ready in this turn of the loop comes along
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            wanted = [(item, future) for item, future in batch if not future.done()]
            if wanted:
                await self._settle(wanted)

    async def _settle(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        items = [item for item, _ in batch]
        outcome = await asyncio.gather(
            asyncio.get_running_loop().run_in_executor(self._executor, self._work, items), return_exceptions=True
        )
        results = outcome[0]
        for place, (_, future) in enumerate(batch):
            if future.done():
                continue
            if isinstance(results, BaseException):
                future.set_exception(results)
            else:
                future.set_result(results[place])
