"""What was asked of a teacher, what it answered and what that cost: a file that is only ever appended to.

Every request is written down before it goes out, with the most it can cost. One that was sent and never heard of again
(the process was killed, the connection broke) counts at that most, for the teacher may have billed it: a budget holds
over any number of kills. The file outlives a kill -9 of its writer; a line that it left half written is cut off.
"""

from __future__ import annotations

import fcntl
import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from schemas.errors import Invalid

NOTHING = Decimal(0)


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True)


class Sent(_Line):
    """A request is about to go out; it costs at most so much."""

    kind: Literal["sent"] = "sent"
    key: str
    most: Decimal


class Answered(_Line):
    """The answer as the model gave it; `chunk` names the batch it came with."""

    kind: Literal["answered"] = "answered"
    key: str
    text: str
    model: str
    finish: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    usd: Decimal
    chunk: str = ""


class Failed(_Line):
    """The request was turned away before anything was billed."""

    kind: Literal["failed"] = "failed"
    key: str
    why: str


class Lost(_Line):
    """No answer that can be read, alone or out of a batch: it may have been billed."""

    kind: Literal["lost"] = "lost"
    key: str
    why: str
    chunk: str = ""


class Refused(_Line):
    """The teacher will never answer this one; `why` is what it says."""

    kind: Literal["refused"] = "refused"
    key: str
    why: str


class NotTaken(_Line):
    """The model does not take this parameter: it is left out from now on."""

    kind: Literal["not taken"] = "not taken"
    parameter: str


class Submitting(_Line):
    """A batch is about to be made, of these requests with the most that each can cost."""

    kind: Literal["submitting"] = "submitting"
    chunk: str
    most: dict[str, Decimal]


class Submitted(_Line):
    """The teacher's name for it."""

    kind: Literal["submitted"] = "submitted"
    chunk: str
    batch: str


class Ended(_Line):
    """All that can be had of the batch is written above; or it was never made."""

    kind: Literal["ended"] = "ended"
    chunk: str
    status: str


Line = Sent | Answered | Failed | Lost | Refused | NotTaken | Submitting | Submitted | Ended
_LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


class Ledger:
    """The file as it stands; money and answers are counted for `keys`, or for all. `open_ledger` makes one."""

    def __init__(self, file: IO[bytes], keys: Collection[str] | None) -> None:
        self._keys = None if keys is None else frozenset(keys)
        self.spent = NOTHING
        """What the requests have cost, the lost ones at their most."""
        self.answers: dict[str, Answered] = {}
        self.refused: dict[str, str] = {}
        self.dropped: list[str] = []
        self.batches: dict[str, str] = {}
        """Batches that run, by their chunk; the name is empty where the process died before it knew it."""
        self._open: dict[str, Decimal] = {}
        self._held: dict[str, dict[str, Decimal]] = {}
        self._from_chunk: set[tuple[str, str]] = set()
        self._file = file

    def write(self, line: Line) -> None:
        """Append a line and count it."""
        self._file.write(_LINE.dump_json(line) + b"\n")
        self._file.flush()
        self.count(line)

    def count(self, line: Line) -> None:
        """Take a line into account."""
        match line:
            case Sent():
                self._lose(line.key)
                self._open[line.key] = line.most
            case Answered() | Lost() if line.chunk and (line.chunk, line.key) in self._from_chunk:
                pass  # a batch that was being read when the process died is read again
            case Answered():
                self._from_chunk.add((line.chunk, line.key))
                if not line.chunk:
                    self._open.pop(line.key, None)
                self._pay(line.key, line.usd)
                if self._counts(line.key):
                    self.answers.setdefault(line.key, line)
            case Failed():
                self._open.pop(line.key, None)
            case Lost():
                self._from_chunk.add((line.chunk, line.key))
                if line.chunk:
                    self._pay(line.key, self._held.get(line.chunk, {}).get(line.key, NOTHING))
                else:
                    self._lose(line.key)
            case Refused():
                self._open.pop(line.key, None)
                if self._counts(line.key):
                    self.refused[line.key] = line.why
            case NotTaken():
                self.dropped.append(line.parameter)
            case Submitting():
                self._held[line.chunk] = dict(line.most)
                self.batches[line.chunk] = ""
            case Submitted():
                self.batches[line.chunk] = line.batch
            case Ended():
                self._held.pop(line.chunk, None)
                self.batches.pop(line.chunk, None)

    def _lose(self, key: str) -> None:
        """What was sent and has no outcome may have been billed."""
        self._pay(key, self._open.pop(key, NOTHING))

    def _counts(self, key: str) -> bool:
        return self._keys is None or key in self._keys

    def _pay(self, key: str, usd: Decimal) -> None:
        if self._counts(key):
            self.spent += usd

    def forget_the_dead(self) -> None:
        """Nobody waits any more for what a former process sent: it counts as lost."""
        for key in list(self._open):
            self._lose(key)

    @property
    def reserved(self) -> Decimal:
        """What the requests that are on their way can still cost."""
        alone = [most for key, most in self._open.items() if self._counts(key)]
        held = [
            most
            for chunk, parts in self._held.items()
            for key, most in parts.items()
            if self._counts(key) and (chunk, key) not in self._from_chunk
        ]
        return sum(alone, NOTHING) + sum(held, NOTHING)

    def waiting(self, chunk: str) -> dict[str, Decimal]:
        """The requests of a batch."""
        return self._held.get(chunk, {})


@contextmanager
def open_ledger(path: Path, keys: Collection[str] | None) -> Iterator[Ledger]:
    """The ledger in this file, made if there is none, as it concerns these requests.

    Raises `Invalid` while another process has it, or where a line is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Invalid(
                "another `copydesk label` asks the same teacher the same way: wait for it, or stop it"
            ) from None
        file.seek(0)
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            file.truncate(len(whole))
        ledger = Ledger(file, keys)
        _read(whole, ledger, path)
        ledger.forget_the_dead()
        yield ledger


def spent_in(path: Path) -> Decimal:
    """What all requests of a ledger have cost so far, those on their way at their most; somebody may be writing it."""
    content = path.read_bytes()
    ledger = Ledger(io.BytesIO(), None)
    _read(content[: content.rfind(b"\n") + 1], ledger, path)
    return ledger.spent + ledger.reserved


def _read(whole: bytes, ledger: Ledger, path: Path) -> None:
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            ledger.count(_LINE.validate_json(line))
        except ValidationError as error:
            raise Invalid(
                f"line {number} of {path} is damaged, and with it the account of what was spent: mend or remove it"
            ) from error
