"""Header names that are not UTF-8, for the pure Python writers of aiokafka and kafka-python."""

from __future__ import annotations


class Name(str):
    """Goes onto the wire as the bytes it was made of."""

    raw: bytes

    def __new__(cls, raw: bytes) -> Name:
        name = super().__new__(cls, raw.decode(errors="backslashreplace"))
        name.raw = raw
        return name

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return self.raw
