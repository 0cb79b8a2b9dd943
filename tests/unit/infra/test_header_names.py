"""Real record batches, written with header names that no Python client would write, read by kafka-python."""

from __future__ import annotations

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from kafka.consumer import fetcher
from kafka.errors import CorruptRecordError
from kafka.record.memory_records import MemoryRecords

from infra.header_names import Records, read_any_header_name
from tests.strange_names import Name

ODD = b"\xff\xfea"


def batch(*names: bytes, codec: int) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 100_000)
    for number, name in enumerate(names):
        builder.append(number, None, b"key", b"value %d" % number, [(Name(name), b"x"), ("\u00fc", None)])
    return bytes(builder.build())


def test_kafka_python_cannot_read_such_a_batch_by_itself() -> None:
    with pytest.raises(CorruptRecordError):
        list(MemoryRecords(batch(ODD, codec=0)).next_batch())


@pytest.mark.parametrize("codec", [0, 1])
def test_an_odd_name_is_spelled_out_and_everything_else_is_as_it_was(codec: int) -> None:
    records = Records(batch(b"fine", ODD, b"fine", codec=codec) + batch(b"later", codec=codec))
    found = [record for piece in records for record in piece]
    assert [record.value for record in found] == [b"value 0", b"value 1", b"value 2", b"value 0"]
    assert [record.headers for record in found] == [
        [(name, b"x"), ("\u00fc", None)] for name in ("fine", "\\xff\\xfea", "fine", "later")
    ]


def test_consumers_read_that_way_once_they_are_taught() -> None:
    read_any_header_name()
    assert fetcher.MemoryRecords is Records
