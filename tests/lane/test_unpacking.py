"""Compressed batches that unpack to too much, or to nothing: handed on as they came, and those around them as ever."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import TopicPartition, codec
from aiokafka.consumer import fetcher
from aiokafka.record import _crecords, default_records
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from schemas.limits import UNPACKED_BYTES_MAX
from streams.lane.fetching import UNPACKED_AT_ONCE_BYTES
from streams.lane.unpacking import CODECS, CannotUnpack, PackedBatch, bounded_decoders

LIMIT = 100_000
DECODERS = bounded_decoders(LIMIT)
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": codec.gzip_encode,
    "snappy": codec.snappy_encode,
    "snappy, one block": lambda payload: bytes(codec.snappy_encode(payload, xerial_compatible=False)),
    "lz4": codec.lz4_encode,
    "zstd": codec.zstd_encode,
}
each_codec = pytest.mark.parametrize("name", ENCODERS)
each_packed = pytest.mark.parametrize("number", range(1, len(CODECS)), ids=CODECS[1:])


def decoder(name: str) -> Callable[[bytes], bytes]:
    return DECODERS[f"{name.split(',')[0]}_decode"]


def batch(base: int, values: list[bytes], number: int = 0) -> bytes:
    """A batch, packed by the codec of this number."""
    made = DefaultRecordBatchBuilder(2, number, 0, -1, -1, 0, 1 << 30)
    for place, value in enumerate(values):
        made.append(place, 1_000 + place, b"key", value, [])
    data = bytearray(made.build())
    data[:8] = base.to_bytes(8, "big")
    return bytes(data)


def read(*batches: bytes, position: int = 0, check_crcs: bool = True) -> list[Any]:
    """What a fetcher hands on of what was fetched."""
    records = fetcher.MemoryRecords(b"".join(batches))  # as a fetcher makes it
    return list(fetcher.PartitionRecords(TopicPartition("topic", 0), records, [], position, None, None, check_crcs, 1))


class Assignment:
    """Of one partition, whose position moves as records are taken."""

    active, paused, position = True, False, 0

    def state_value(self, _tp: TopicPartition) -> Assignment:
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def part_of(*batches: bytes) -> Any:
    """What a fetcher has of what was fetched, to be taken."""
    tp, records = TopicPartition("topic", 0), fetcher.MemoryRecords(b"".join(batches))
    records = fetcher.PartitionRecords(tp, records, [], 0, None, None, True, 1)
    return fetcher.FetchResult(tp, assignment=Assignment(), partition_records=records, backoff=0)


@each_codec
def test_what_is_at_the_limit_is_unpacked(name: str) -> None:
    for payload in (b"x", random.Random(1).randbytes(LIMIT), b"x" * LIMIT):
        assert decoder(name)(ENCODERS[name](payload)) == payload


@each_codec
def test_one_byte_more_is_not(name: str) -> None:
    for payload in (random.Random(1).randbytes(LIMIT + 1), b"x" * (LIMIT + 1), b"x" * 50 * LIMIT):
        with pytest.raises(CannotUnpack, match=f"more than {LIMIT} bytes"):
            decoder(name)(ENCODERS[name](payload))


@given(st.data())
def test_whatever_stands_there_is_unpacked_or_refused(data: st.DataObject) -> None:
    """No other error gets out, which would stop the partition."""
    name = data.draw(st.sampled_from(sorted(ENCODERS)))
    good = ENCODERS[name](b"some payload of a batch, and the same again: some payload of a batch" * 9)
    cut, at, byte = (data.draw(st.integers(0, most)) for most in (len(good), len(good) - 1, 255))
    bad = bytearray(good)
    bad[at] = byte
    for payload in (bytes(bad), good[:cut], data.draw(st.binary(max_size=60))):
        try:
            assert len(decoder(name)(payload)) <= LIMIT
        except CannotUnpack as error:
            assert str(LIMIT) in str(error)


def test_both_parsers_of_aiokafka_unpack_no_more_than_that() -> None:
    """The compiled one and the one in Python."""
    for module in (default_records, _crecords.default_records):
        with pytest.raises(CannotUnpack, match=f"more than {UNPACKED_BYTES_MAX} bytes"):
            module.zstd_decode(codec.zstd_encode(b"x" * (UNPACKED_BYTES_MAX + 1)))


@each_packed
def test_a_batch_that_unpacks_to_too_much_is_one_record_among_the_others(number: int) -> None:
    """It stands where its last one would, holds the batch as it came, and says why."""
    bomb = batch(2, [b" " * (UNPACKED_BYTES_MAX // 2)] * 3, number)
    found = read(batch(0, [b"a", b"b"]), bomb, batch(5, [b"c"], number), bomb[:7] + b"\x06" + bomb[8:])
    assert [record.offset for record in found] == [0, 1, 4, 5, 8]
    assert [found[place].value for place in (0, 1, 3)] == [b"a", b"b", b"c"]
    packed = found[2]
    assert isinstance(packed.value, PackedBatch) and packed.value == bomb
    assert (packed.key, packed.headers, packed.timestamp) == (None, (), 1_002)
    said = f"offsets 2 to 4 are one batch of {len(bomb)} bytes, packed with {CODECS[number]}; it unpacks to more than"
    assert packed.value.why.startswith(said)


@each_packed
def test_a_batch_that_unpacks_to_nothing_is_one_record_too(number: int) -> None:
    """A broker looks into what it is given, but not all that can bear a checksum was written by one."""
    broken = bytearray(batch(1, [b"x" * 1000], number))
    broken[61:] = bytes(len(broken) - 61)
    found = read(batch(0, [b"a"]), bytes(broken), batch(2, [b"c"]), check_crcs=False)
    assert [record.offset for record in found] == [0, 1, 2]
    assert isinstance(found[1].value, PackedBatch) and CODECS[number] in found[1].value.why


def test_reading_begins_behind_such_a_batch() -> None:
    """Its record is the last one of its offsets, so that a commit of it is behind all of them."""
    bomb = batch(0, [b" " * UNPACKED_BYTES_MAX] * 2, 4)
    assert [record.offset for record in read(bomb, batch(2, [b"c"]), position=1)] == [1, 2]


def test_what_there_is_no_memory_for_is_not_called_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a good message, and has its turn in the next process."""

    def without_memory(payload: bytes) -> bytes:
        raise MemoryError

    monkeypatch.setattr(codec, "snappy_decode", without_memory)
    with pytest.raises(MemoryError):
        decoder("snappy")(ENCODERS["snappy"](b"x"))


@each_packed
def test_not_everything_that_was_fetched_is_unpacked_at_once(number: int) -> None:
    """Little came, and it would be a hundred times as much; what is taken of it ends with the batch that fills the room."""
    size = UNPACKED_AT_ONCE_BYTES // 5 * 2
    fetched = [batch(3 * n, [b" " * (size // 3)] * 3, number) for n in range(10)]
    part = part_of(*fetched)
    counts, sizes = [], []
    while part.has_more():
        taken = part.getall(2_000)
        counts.append(len(taken))
        sizes.append(taken.bytes)
    assert sum(counts) == 30
    assert all(each <= UNPACKED_AT_ONCE_BYTES + 2 * size for each in sizes)
    assert sum(sizes) == pytest.approx(10 * size + sum(map(len, fetched)), rel=0.01)


def test_what_came_unpacked_is_taken_by_its_number_of_records() -> None:
    """And its bytes are told once."""
    fetched = batch(0, [b"x" * 100] * 9, 0)
    part = part_of(fetched)
    taken = [part.getall(4) for _ in range(3)]
    assert [len(each) for each in taken] == [4, 4, 1] and [each.bytes for each in taken] == [len(fetched), 0, 0]
    assert [record.offset for each in taken for record in each] == list(range(9)) and not part.has_more()
    assert part.getall(4) == []
