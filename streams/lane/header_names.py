"""A header's name may be any bytes, but aiokafka reads UTF-8 only: one that is not must not stop a partition for good.

Kafka's protocol calls the name a string, and brokers take any bytes for one; librdkafka sends what it is given. aiokafka 0.14.0
raises UnicodeDecodeError out of `getmany`, at every reading anew: its consumer never gets past that record, nor does one that
starts after it. (No issue of aiokafka tells of it; ag2ai/faststream #2458 is the same of headers' values, one storey higher.)

So a batch in which that happens is read once more, by aiokafka's own parser in Python, with what is no UTF-8 replaced. All
others are read as before, at no cost. The same loop hands on what `unpacking` refuses to unpack.
"""

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

from streams.lane.unpacking import CannotUnpack, packed_batch

_BASE_OFFSET_AND_LENGTH = struct.Struct(">qi")
_LAST_OFFSET_DELTA = struct.Struct(">i")
_LAST_OFFSET_DELTA_AT = 23
"""In a batch of message format 2, the only one that brokers from Kafka 4.0 on know."""

_unpacked_by_aiokafka = fetcher.PartitionRecords._unpack_records


class FetchedRecords(MemoryRecords):  # type: ignore[misc]  # aiokafka publishes no types
    """What was fetched of a partition, and its bytes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data

    def batch_at(self, offset: int) -> bytes:
        """The first batch that reaches this offset."""
        start = 0
        while True:
            base_offset, length = _BASE_OFFSET_AND_LENGTH.unpack_from(self.data, start)
            end = start + _BASE_OFFSET_AND_LENGTH.size + length
            (delta,) = _LAST_OFFSET_DELTA.unpack_from(self.data, start + _LAST_OFFSET_DELTA_AT)
            if base_offset + delta >= offset:
                return bytes(self.data[start:end])
            start = end


class _Piece(bytearray):
    """Bytes that read as text whatever they are."""

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, "replace")


class _Pieces(bytearray):
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Piece(found) if isinstance(place, slice) else found


def read_any_header_name() -> None:
    """Have aiokafka's fetchers do so; they make both classes by their names in that module, and offer no other way."""
    fetcher.MemoryRecords = FetchedRecords
    fetcher.PartitionRecords._unpack_records = _unpacked


def _unpacked(records: Any) -> Iterator[Any]:
    """A method of aiokafka's `PartitionRecords`; a batch that raised is behind it when its own goes on."""
    while True:
        try:
            yield from _unpacked_by_aiokafka(records)
        except UnicodeDecodeError:
            yield from _unpacked_leniently(records)
        except CannotUnpack as error:
            yield _handed_on_packed(records, error)
        else:
            return


def _unpacked_leniently(records: Any) -> Iterator[Any]:
    batch = _DefaultRecordBatchPy(records._records.batch_at(records.next_fetch_offset))
    iter(batch)  # decompresses it
    batch._buffer = _Pieces(batch._buffer)
    for record in batch:
        if record.offset >= records.next_fetch_offset:
            handed_on = records._consumer_record(records._tp, record)
            records.next_fetch_offset = record.offset + 1
            yield handed_on
    records.next_fetch_offset = batch.next_offset


def _handed_on_packed(records: Any, error: CannotUnpack) -> Any:
    record = packed_batch(records._records.batch_at(records.next_fetch_offset), error)
    records.next_fetch_offset = record.offset + 1
    return records._consumer_record(records._tp, record)
