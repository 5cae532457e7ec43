"""A header's name may be any bytes, but aiokafka reads UTF-8 only: one that is not must not stop a partition for good.

Kafka's protocol calls the name a string, and brokers take any bytes for one; librdkafka sends what it is given. aiokafka 0.14.0
raises UnicodeDecodeError out of `getmany`, at every reading anew: its consumer never gets past that record, nor does one that
starts after it. (No issue of aiokafka tells of it; ag2ai/faststream #2458 is the same of headers' values, one storey higher.)

So a batch in which that happens is read once more (`fetching`), by aiokafka's own parser in Python, with what is no UTF-8
replaced. All others are read as before, at no cost.
"""

from typing import Any

from aiokafka.record.default_records import _DefaultRecordBatchPy


class _Piece(bytearray):
    """Bytes that read as text whatever they are."""

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, "replace")


class _Pieces(bytearray):
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Piece(found) if isinstance(place, slice) else found


def lenient_batch(data: bytes) -> Any:
    """The batch in these bytes as aiokafka's parser gives it; its records have names whatever these are."""
    batch = _DefaultRecordBatchPy(data)
    iter(batch)  # decompresses it
    batch._buffer = _Pieces(batch._buffer)
    return batch
