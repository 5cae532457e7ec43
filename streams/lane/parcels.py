"""Records of one destination, packed into aiokafka's ready-made batches.

`BatchBuilder.append` checks, serializes and forwards by name, which takes longer than the compiled builder behind it takes
to write the record. A parcel calls that builder itself and tells its batch, when that is full, how many records it has.
"""

from collections.abc import Callable
from typing import Any

from streams.lane.batch import LaneError


class Parcel:
    """What goes to one partition in one transaction: one batch or more, in the order of their records."""

    __slots__ = ("_append", "_create", "_in_last", "_record_bytes_max", "_topic", "batches", "records")

    def __init__(self, topic: str, create: Callable[[], Any], record_bytes_max: int) -> None:
        self.batches: list[Any] = []
        self.records = 0
        self._topic, self._create, self._record_bytes_max = topic, create, record_bytes_max
        self._begin()

    def _begin(self) -> None:
        batch = self._create()
        self.batches.append(batch)
        self._append, self._in_last = batch._builder.append, 0

    def add(
        self, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], timestamp_ms: int | None
    ) -> None:
        """Pack one record. Raises LaneError on one that is larger than the broker would take."""
        packed = self._append(self._in_last, timestamp_ms, key, value, headers)
        if packed is None:  # the batch is full; an empty one takes any record
            self.close()
            self._begin()
            packed = self._append(0, timestamp_ms, key, value, headers)
        if packed.size > self._record_bytes_max:
            limit = self._record_bytes_max
            raise LaneError(f"a record of {packed.size} bytes for {self._topic} is above the limit of {limit}")
        self._in_last += 1

    def close(self) -> None:
        """Tell the last batch how many records it has; none can be added to it any more."""
        batch = self.batches[-1]
        batch._relative_offset = self._in_last
        batch.close()
        self.records += self._in_last
