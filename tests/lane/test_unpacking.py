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
