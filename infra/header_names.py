"""Header names that are not UTF-8, read by kafka-python: by itself it fails at such a message, again and again.

The odd bytes are spelled out in the name (`\\xff`). `workers/header_names.py` does the same for aiokafka.
"""

from __future__ import annotations

from typing import Any

import kafka.consumer.fetcher as fetcher
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords


def read_any_header_name() -> None:
    """Teach the consumers of this process. Harmless to repeat."""
    fetcher.MemoryRecords = Records


class Records(MemoryRecords):  # type: ignore[misc]  # the package carries no types
    """What a broker sent, batch by batch."""

    def next_batch(self, *constants: int) -> Any:
        batch = super().next_batch(*constants)
        if type(batch) is DefaultRecordBatch:
            batch.__class__ = _Batch  # it has read nothing yet; building another would copy it all
        return batch


class _Batch(DefaultRecordBatch):  # type: ignore[misc]
    __slots__ = ()  # or a batch could not become one

    def _read_msg(self, *helpers: Any) -> Any:
        try:
            return super()._read_msg(*helpers)
        except UnicodeDecodeError:  # its place is moved on at the end only: the same message is read again
            self._buffer = _Spelled(self._buffer)  # type: ignore[has-type, misc]
            return super()._read_msg(*helpers)


class _Spelled(bytearray):
    """Bytes whose parts decode whatever they are."""

    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        return _Spelled(part) if isinstance(part, bytearray) else part

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)
