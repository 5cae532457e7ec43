"""What aiokafka's fetchers hand on of a partition. Four things differ from aiokafka's own:

- a consumer that is given `AS_PARSED` as its key's deserializer gets the records as aiokafka's compiled parser makes them:
  offset, timestamp, key, value and headers. A `ConsumerRecord` costs more than parsing the record itself: a dataclass of
  eleven members, the sizes of key and value among them, made by two calls in Python. Topic and partition are those that
  were asked for;
- a batch with a header's name that is no UTF-8 is read all the same (`header_names`);
- a batch that cannot be unpacked is handed on as it came (`unpacking`);
- not more is unpacked at once than one batch beyond `UNPACKED_AT_ONCE_BYTES`: aiokafka counts records, and two thousand that
  came as a few hundred KiB may be gigabytes.

Transactions, control batches, CRCs and positions stay aiokafka's business.
"""

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords

from streams.lane.header_names import lenient_batch
from streams.lane.unpacking import CannotUnpack, packed_batch
from streams.lane.unpacking import count as unpacked

UNPACKED_AT_ONCE_BYTES = 8_000_000

_BASE_OFFSET_AND_LENGTH = struct.Struct(">qi")
_LAST_OFFSET_DELTA = struct.Struct(">i")
_LAST_OFFSET_DELTA_AT = 23
"""In a batch of message format 2, the only one that brokers from Kafka 4.0 on know."""


def AS_PARSED(key: bytes | None) -> bytes | None:  # noqa: N802 - a mark, and a deserializer like any other where nobody heeds it
    """The mark. As a deserializer it changes nothing."""
    return key


class FetchedBatches(MemoryRecords):  # type: ignore[misc]  # aiokafka publishes no types
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


class FetchedRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of it, one by one."""

    next_fetch_offset: int

    def __init__(self, tp: Any, records: FetchedBatches, *members: Any, **more: Any) -> None:
        super().__init__(tp, records, *members, **more)
        self.uncounted_bytes = len(records.data)

    def _unpack_records(self) -> Iterator[Any]:
        """aiokafka's own unpacking, begun again behind each batch at which it stopped."""
        while True:
            try:
                yield from super()._unpack_records()
            except UnicodeDecodeError:
                yield from self._read_leniently()
            except CannotUnpack as error:
                record = packed_batch(self._records.batch_at(self.next_fetch_offset), error)
                self.next_fetch_offset = record.offset + 1
                yield self._consumer_record(self._tp, record)
            else:
                return

    def _read_leniently(self) -> Iterator[Any]:
        batch = lenient_batch(self._records.batch_at(self.next_fetch_offset))
        for record in batch:
            if record.offset >= self.next_fetch_offset:
                self.next_fetch_offset = record.offset + 1
                yield self._consumer_record(self._tp, record)
        self.next_fetch_offset = batch.next_offset

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if self._key_deserializer is AS_PARSED else super()._consumer_record(tp, record)


class Taken(list[Any]):
    """Records that were taken at once. `bytes`: about as many as came, and were unpacked, to take them."""

    bytes = 0


class FetchedPart(fetcher.FetchResult):  # type: ignore[misc]
    """What was fetched of a partition, to be taken in parts."""

    _partition_records: FetchedRecords | None

    def getall(self, max_records: int | None = None) -> Taken:
        """So many records at most; fewer where they had to be unpacked and are large."""
        taken = Taken()
        records, unpacked_before = self._partition_records, unpacked.bytes
        if records is None or not self.check_assignment(self._topic_partition):
            return taken
        for record in records:
            taken.append(record)
            if len(taken) == max_records or unpacked.bytes - unpacked_before > UNPACKED_AT_ONCE_BYTES:
                self._update_position()
                break
        else:
            self._update_position()
            self._partition_records = None
        taken.bytes = records.uncounted_bytes + unpacked.bytes - unpacked_before
        records.uncounted_bytes = 0
        return taken


def hand_on_all_records() -> None:
    """Have aiokafka's fetchers do so: they make these classes by their names in their module, and offer no other way."""
    fetcher.MemoryRecords = FetchedBatches
    fetcher.PartitionRecords = FetchedRecords
    fetcher.FetchResult = FetchedPart
