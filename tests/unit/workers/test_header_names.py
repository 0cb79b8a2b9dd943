"""Real record batches, written with header names that no Python client would write."""

from __future__ import annotations

from typing import Any

import aiokafka.consumer.fetcher as fetcher
import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchBuilderPy
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

from tests.strange_names import Name
from workers.header_names import Records, read_any_header_name

ODD = b"\xff\xfea"


def batch(*names: bytes, codec: int = 0) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 100_000)
    for number, name in enumerate(names):
        builder.append(number, None, b"key", b"value %d" % number, [(Name(name), b"x"), ("\u00fc", None)])
    return bytes(builder.build())


def read(raw: bytes) -> list[Any]:
    records, found = Records(raw), []
    while records.has_next():
        piece = records.next_batch()
        assert piece.validate_crc()
        found += list(piece)
    return found


def test_aiokafka_cannot_read_such_a_batch_by_itself() -> None:
    with pytest.raises((UnicodeDecodeError, CorruptRecordException)):
        list(DefaultRecordBatch(batch(b"fine", ODD)))


@pytest.mark.parametrize("codec", [0, 1])
def test_an_odd_name_is_spelled_out_and_everything_else_is_as_it_was(codec: int) -> None:
    found = read(batch(b"fine", ODD, b"fine", codec=codec) + batch(b"later"))
    assert [record.value for record in found] == [b"value 0", b"value 1", b"value 2", b"value 0"]
    assert [record.headers[0] for record in found] == [
        *(("fine", b"x"), ("\\xff\\xfea", b"x"), ("fine", b"x"), ("later", b"x"))
    ]
    assert all(record.headers[1] == ("\u00fc", None) for record in found)


def test_a_batch_in_order_is_read_by_aiokafka() -> None:
    raw = batch(b"fine", b"fine")
    assert [(record.offset, record.headers) for record in read(raw)] == [
        (record.offset, record.headers) for record in DefaultRecordBatch(raw)
    ]


def test_a_batch_that_is_broken_in_another_way_stays_broken() -> None:
    raw = bytearray(batch(b"fine"))
    raw[60] = 2  # records, where there is one
    with pytest.raises(CorruptRecordException):
        list(Records(bytes(raw)).next_batch())


def test_messages_of_old_formats_are_left_to_aiokafka() -> None:
    builder = LegacyRecordBatchBuilder(1, 0, 100_000)
    builder.append(0, timestamp=0, key=b"key", value=b"value")
    records = Records(bytes(builder.build()))
    assert [record.value for record in records.next_batch()] == [b"value"]


def test_what_a_fetcher_asks_of_a_batch_is_answered() -> None:
    piece = Records(batch(ODD)).next_batch()
    assert (piece.next_offset, piece.base_offset, piece.producer_id) == (1, 0, -1)
    assert (piece.is_control_batch, piece.is_transactional) == (False, False)


def test_consumers_are_taught() -> None:
    read_any_header_name()
    assert fetcher.MemoryRecords is Records
