"""Labelling through OpenAI's Batch API: half the price, within a day.

A batch is written down before it is made and carries our mark, so that one that was made while we died is found again
instead of being paid twice. What comes back is read for what it is: an expired or cancelled batch has done a part of
its work, one that is `completed` may have failed line by line, and a file may hold lines that are no JSON.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeVar
from uuid import uuid4

from openai.types import Batch
from openai.types.chat import ChatCompletion
from pydantic import ValidationError

from training.teacher.client import (
    Busy,
    CannotLabel,
    Dropped,
    Garbled,
    Options,
    Refusal,
    Teacher,
    read,
    verdict,
    verdicts,
)
from training.teacher.job import Job, Tell, Unlabelled, Watch
from training.teacher.ledger import Ended, Failed, Ledger, Lost, Refused, Submitted, Submitting
from training.teacher.single import Patience, drop, fits

MARK = "copydesk"
OVER = frozenset({"completed", "expired", "failed", "cancelled"})
LARGEST_BYTES = 100_000_000
"""Of a batch's file; the API takes twice as much."""
LOOKED_THROUGH = 1000
"""So many of the newest batches are looked at for one that was made while we died."""
T = TypeVar("T")


class Batches:
    """Asks for the keys it is given, one batch after the other, and writes all that happens into the ledger."""

    def __init__(self, job: Job, teacher: Teacher, options: Options, ledger: Ledger, watch: Watch, tell: Tell) -> None:
        self._job, self._client, self._options, self._ledger = job, teacher.client, options, ledger
        self._watch, self._tell = watch, tell
        self._patience = Patience(job.pause_s, job.patience_s)
        self._size = job.batch_size
        self._tries: Counter[str] = Counter()
        self.unlabelled = Unlabelled()

    async def label(self, keys: Sequence[str]) -> None:
        """Returns when each key has an answer, a refusal, or an entry in `unlabelled`. Raises `CannotLabel`."""
        for chunk, name in list(self._ledger.batches.items()):
            await self._finish(chunk, name or await self._find(chunk))
        while left := [key for key in keys if self._is_open(key)]:
            most = self._affordable(left)
            if not most:
                self.unlabelled.too_dear = left
                return
            chunk = uuid4().hex
            self._ledger.write(Submitting(chunk=chunk, most=most))
            await self._finish(chunk, await self._submit(chunk, list(most)))

    def _is_open(self, key: str) -> bool:
        known = key in self._ledger.answers or key in self._ledger.refused
        return not known and self._tries[key] < self._job.attempts

    def _affordable(self, keys: Sequence[str]) -> dict[str, Decimal]:
        """As many as fit into the budget and a file, each with the most it can cost."""
        found: dict[str, Decimal] = {}
        total, size = Decimal(0), 0
        for key in keys:
            most = self._job.most(key, batch=True)
            size += len(json.dumps(self._job.asked[key])) + 500
            if len(found) == self._size or size > LARGEST_BYTES:
                break
            if fits(total + most, self._job, self._ledger):
                found[key] = most
                total += most
        return found

    async def _submit(self, chunk: str, keys: Sequence[str]) -> str:
        """The new batch's name; empty if there is none."""
        lines = [
            {
                "custom_id": key,
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": self._options.body(self._job.asked[key]),
            }
            for key in keys
        ]
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        file = await self._patiently(
            lambda: self._client.files.create(file=(f"{chunk}.jsonl", content), purpose="batch")
        )
        while True:
            await self._patience.over()
            try:
                with verdicts(self._options):
                    batch = await self._client.batches.create(
                        input_file_id=file.id,
                        endpoint="/v1/chat/completions",
                        completion_window="24h",
                        metadata={MARK: chunk},
                    )
            except Busy as busy:
                self._patience.trouble(str(busy), busy.wait_s)
            except Garbled as garbled:  # it may have been made all the same
                self._patience.trouble(str(garbled))
                if name := await self._find(chunk):
                    return name
            except (Refusal, Dropped) as refusal:
                self._ledger.write(Ended(chunk=chunk, status="never made"))
                raise CannotLabel(f"the teacher takes no batch ({refusal}): label without --batch") from refusal
            else:
                self._patience.reset()
                self._ledger.write(Submitted(chunk=chunk, batch=batch.id))
                return batch.id

    async def _find(self, chunk: str) -> str:
        """The name of the batch with our mark; empty if it was never made."""

        async def look() -> str:
            number = 0
            async for batch in self._client.batches.list(limit=100):
                number += 1
                if (batch.metadata or {}).get(MARK) == chunk:
                    return batch.id
                if number == LOOKED_THROUGH:
                    break
            return ""

        name = await self._patiently(look)
        if name:
            self._ledger.write(Submitted(chunk=chunk, batch=name))
        return name

    async def _finish(self, chunk: str, name: str) -> None:
        """Wait for a batch and take everything out of it that there is."""
        if not name:
            self._ledger.write(Ended(chunk=chunk, status="never made"))
            return
        batch = await self._wait(name)
        lines: list[dict[str, Any]] = []
        broken = 0
        for file in (batch.output_file_id, batch.error_file_id):
            if file:
                content = await self._patiently(lambda file=file: self._client.files.content(file))  # type: ignore[misc]
                read_lines = list(_lines(content.text))
                lines += [line for line in read_lines if line is not None]
                broken += sum(line is None for line in read_lines)
        waiting = self._ledger.waiting(chunk)
        seen = {
            key for line in lines if (key := str(line.get("custom_id"))) in waiting and self._take(chunk, key, line)
        }
        for key in waiting.keys() - seen:
            if broken or batch.status == "completed":  # done, and billed, but not to be had
                self._ledger.write(Lost(key=key, why="not in the batch's files", chunk=chunk))
            self._tries[key] += 1
            self.unlabelled.given_up[key] = "not in the batch's files"
        self._ledger.write(Ended(chunk=chunk, status=batch.status))
        self._watch(len(self._ledger.answers), self._ledger.spent)
        if broken:
            self._tell(f"batch {name}: {broken:,} lines are no JSON; what was in them is asked again")
        if batch.status != "completed":
            self._consider(batch, len(waiting))

    async def _wait(self, name: str) -> Batch:
        while True:
            batch = await self._patiently(lambda: self._client.batches.retrieve(name))
            if batch.status in OVER:
                return batch
            done = batch.request_counts.completed if batch.request_counts else 0
            self._watch(len(self._ledger.answers) + done, self._ledger.spent)
            self._patience.trouble("the batch runs", self._job.poll_s)
            await self._patience.over()
            self._patience.reset()

    def _consider(self, batch: Batch, size: int) -> None:
        """What to do after a batch that did not get through. Raises `CannotLabel`."""
        if batch.status == "cancelled":
            raise CannotLabel(f"batch {batch.id} was cancelled; the same command asks again for what it did not get to")
        if batch.status != "failed":
            self._tell(f"batch {batch.id} is {batch.status}; what it did not get to is asked again")
            return
        faults = batch.errors.data or [] if batch.errors else []
        words = "; ".join(fault.message or fault.code or "" for fault in faults[:3]) or "no reason given"
        too_large = any(
            "token_limit" in (one.code or "") or "enqueued" in (one.message or "").lower() for one in faults
        )
        if too_large and size > 1:
            self._size = size // 2
            self._tell(f"the teacher takes no batch that large ({words}); going on with {self._size:,} at a time")
            return
        raise CannotLabel(f"batch {batch.id} failed: {words}")

    def _take(self, chunk: str, key: str, line: dict[str, Any]) -> bool:
        """Write down what one line says; False if it says nothing that can be understood."""
        answer, error = line.get("response"), line.get("error")
        status, body = (answer.get("status_code"), answer.get("body")) if isinstance(answer, dict) else (None, None)
        if isinstance(error, dict) and status is None:
            self._tries[key] += 1
            self.unlabelled.given_up[key] = str(error.get("message") or error.get("code"))
            return True  # batch_expired, batch_cancelled: it was not asked, and is not billed
        if not isinstance(status, int) or not isinstance(body, dict):
            return False
        if status == 200:
            try:
                reply = read(ChatCompletion.model_validate(body))
            except (ValidationError, Garbled):
                return False
            self._ledger.write(self._job.answered(key, reply, batch=True, chunk=chunk))
            self.unlabelled.given_up.pop(key, None)
            return True
        fault = body.get("error") if isinstance(body.get("error"), dict) else body
        trouble = verdict(status, fault or {}, self._options)
        match trouble:
            case Dropped():
                self._tries[key] += not self._options.takes(str(trouble))
                drop(str(trouble), self._options, self._ledger, self._tell)
            case Refusal():
                self._ledger.write(Refused(key=key, why=str(trouble)))
            case CannotLabel():
                raise trouble
            case _:
                self._tries[key] += 1
                self.unlabelled.given_up[key] = str(trouble)
                self._ledger.write(Failed(key=key, why=str(trouble)))
        return True

    async def _patiently(self, request: Callable[[], Awaitable[T]]) -> T:
        """The answer of a request that costs nothing, however long it takes to get. Raises `CannotLabel`."""
        while True:
            await self._patience.over()
            try:
                with verdicts(self._options):
                    answer = await request()
            except (Busy, Garbled) as trouble:
                self._patience.trouble(str(trouble), trouble.wait_s if isinstance(trouble, Busy) else None)
            except (Refusal, Dropped) as refusal:
                raise CannotLabel(f"the teacher's Batch API refuses: {refusal}") from refusal
            else:
                self._patience.reset()
                return answer


def _lines(content: str) -> Iterator[dict[str, Any] | None]:
    """The lines of a batch's file; None for one that is not a JSON object."""
    for words in content.split("\n"):  # not splitlines: a title may hold U+2028
        if words.strip():
            try:
                line = json.loads(words)
            except (ValueError, RecursionError):
                line = None
            yield line if isinstance(line, dict) else None
