"""Header names that are not UTF-8. Any client may send them; aiokafka cannot read a record that has one: the batch
fails to parse, the consumer fails with it, and after a restart it meets the same batch again.

Such a batch is parsed again, slower, with the odd bytes spelled out in the name (`\\xff`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aiokafka.consumer.fetcher as fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


def read_any_header_name() -> None:
    """Teach the consumers of this process. Harmless to repeat."""
    fetcher.MemoryRecords = Records


class Records(_MemoryRecordsPy):  # type: ignore[misc]  # final to others; its private names are held by a test
    """What a broker sent, batch by batch."""

    def next_batch(self, *constants: int) -> Any:
        piece = self._next_slice
        batch = super().next_batch(*constants)
        return _Batch(batch, piece) if piece is not None and isinstance(batch, DefaultRecordBatch) else batch


class _Batch:
    """aiokafka's own batch, with another reading in reserve."""

    def __init__(self, batch: Any, piece: memoryview) -> None:
        self._batch = batch
        self._piece = piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except (UnicodeDecodeError, CorruptRecordException) as error:
            if not isinstance(error.__cause__ or error, UnicodeDecodeError):
                raise
            return iter(list(_Spelled(self._piece)))


class _Spelled(_DefaultRecordBatchPy):  # type: ignore[misc]
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer: bytearray = _Bytes(self._buffer)


class _Bytes(bytearray):
    """Bytes whose parts decode whatever they are."""

    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        return _Bytes(part) if isinstance(part, bytearray) else part

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)
