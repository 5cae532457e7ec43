"""A header whose name is no UTF-8 stops nobody, wherever it stands among transactions, repeats and compressed batches."""

from __future__ import annotations

import gzip
import struct
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from streams.lane.fetching import FetchedRecords

READ_COMMITTED = 1
NONE, GZIP = 0, 1
ABORT = b"\x00\x00\x00\x00"
NAME, NO_NAME = "a_name", b"\xff\xfe_\xed\xa0\x80"  # as long as each other


def batch(
    base: int, names: list[str | bytes], *, compression: int = NONE, producer: int = -1, control: bytes = b""
) -> bytes:
    """A batch with a record for each name, which it bears as a header; patched where the builder takes no such name."""
    made = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=NONE,
        is_transactional=int(producer >= 0),
        producer_id=producer,
        producer_epoch=0,
        base_sequence=0,
        batch_size=1_000_000,
    )
    for place, name in enumerate(names):
        key, shown = control or b"key", NAME if isinstance(name, bytes) else name
        made.append(place, timestamp=1_000, key=key, value=b"%d" % (base + place), headers=[(shown, b"\xff")])
    data = bytearray(made.build())
    for name in names:
        if isinstance(name, bytes):
            at = data.index(NAME.encode())
            data[at : at + len(name)] = name
    if compression == GZIP:
        data[61:] = gzip.compress(bytes(data[61:]))
        struct.pack_into(">i", data, 8, len(data) - 12)
    attributes = struct.unpack_from(">h", data, 21)[0] | compression | (0x20 if control else 0)
    struct.pack_into(">q", data, 0, base)
    struct.pack_into(">h", data, 21, attributes)
    struct.pack_into(">I", data, 17, calc_crc32c(bytes(data[21:])))
    return bytes(data)


def read(*batches: bytes, position: int = 0, aborted: list[tuple[int, int]] | None = None) -> tuple[list[Any], int]:
    """What a fetcher hands on of what was fetched, as (offset, value, header's name); and where it reads on."""
    records = fetcher.PartitionRecords(
        TopicPartition("topic", 0),
        fetcher.MemoryRecords(b"".join(batches)),  # as a fetcher makes it
        aborted,
        position,
        None,
        None,
        True,
        READ_COMMITTED,
    )
    found = [(record.offset, record.value, record.headers[0][0]) for record in records]
    return found, records.next_fetch_offset


def test_aiokafka_by_itself_stops_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails, a new aiokafka reads such names, and `header_names` can go."""
    monkeypatch.delattr(FetchedRecords, "_unpack_records")
    with pytest.raises(UnicodeDecodeError):
        read(batch(0, ["good", NO_NAME]))


@pytest.mark.parametrize("compression", [NONE, GZIP], ids=["plain", "compressed"])
def test_the_record_is_read_and_so_are_those_around_it(compression: int) -> None:
    found, position = read(
        batch(0, ["a", "b"]),
        batch(2, ["c", NO_NAME, "e"], compression=compression),
        batch(5, [NO_NAME]),
        batch(6, ["g"]),
    )
    assert [offset for offset, _, _ in found] == list(range(7))
    assert [value for _, value, _ in found] == [b"%d" % number for number in range(7)]
    assert [name for _, _, name in found if name.isascii()] == ["a", "b", "c", "e", "g"]
    assert position == 7


def test_reading_begins_in_the_middle_of_the_batch() -> None:
    found, _ = read(batch(0, ["a", NO_NAME, "c", NO_NAME]), position=2)
    assert [offset for offset, _, _ in found] == [2, 3]


def test_what_was_given_up_stays_unread() -> None:
    """A producer gives up one transaction with such a record, commits one, and gives up another."""
    found, position = read(
        batch(0, [NO_NAME, "b"], producer=7),
        batch(2, ["x"], producer=7, control=ABORT),
        batch(3, ["d", NO_NAME], producer=7),
        batch(5, ["x"], producer=7, control=b"\x00\x00\x00\x01"),
        batch(6, [NO_NAME], producer=7),
        batch(7, [NO_NAME]),
        aborted=[(7, 0), (7, 6)],
    )
    assert [offset for offset, _, _ in found] == [3, 4, 7]
    assert position == 8


def test_offsets_that_are_gone_are_passed_over() -> None:
    """A compacted topic has gaps before, and at the end of, its batches."""
    found, position = read(batch(10, [NO_NAME]), batch(40, ["a", NO_NAME]), position=5)
    assert [offset for offset, _, _ in found] == [10, 40, 41]
    assert position == 42
