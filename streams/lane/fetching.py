"""Records as aiokafka's compiled parser makes them, without the Python object that it builds around each.

A `ConsumerRecord` costs more than parsing the record itself: a dataclass of eleven members, the sizes of key and value
among them, made by two calls in Python. A consumer that is given `AS_PARSED` as its key's deserializer hands on the
parsed records instead: offset, timestamp, key, value and headers. Topic and partition are those that were asked for.
"""

from typing import Any

from aiokafka.consumer import fetcher


def AS_PARSED(key: bytes | None) -> bytes | None:  # noqa: N802 - a mark, and a deserializer like any other where nobody heeds it
    """The mark. As a deserializer it changes nothing."""
    return key


class ParsedRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka publishes no types
    """aiokafka's own unpacking: transactions, control batches, CRCs and positions are its business."""

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if self._key_deserializer is AS_PARSED else super()._consumer_record(tp, record)


def hand_on_parsed_records() -> None:
    """Have aiokafka's fetchers heed the mark: they make this class by its name in their module, and offer no other way."""
    fetcher.PartitionRecords = ParsedRecords
