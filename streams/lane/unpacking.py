"""Compressed batches, unpacked as far as memory is worth it: 16 KiB of zstd can hold half a gigabyte of one letter.

aiokafka unpacks whatever it is given, and a batch of which it can make nothing stops its partition for good. Here a batch
that unpacks to more than is allowed, or to nothing, is handed on as it came, as one record in the place of its last: its
value is a `PackedBatch`, which says what is wrong with it.
"""

import gzip
import io
import struct
from collections.abc import Callable
from typing import Any

import cramjam
from aiokafka import codec
from aiokafka.record import _crecords, default_records

Decode = Callable[[Any], bytes]

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
"""By their numbers in a batch's attributes."""

ROOM_AT_FIRST = 8
"""So many times its own size is all that most payloads need; then so many times more, and again."""

ROOM_BYTES_MIN = 1024

SNAPPY_TIMES_MAX = 22
"""No payload of snappy's says more than this many times its own size: three bytes for sixty-four."""

XERIAL_HEADER_BYTES = 16
_BLOCK_LENGTH = struct.Struct(">i")


class PackedBatch(bytes):
    """A batch as it came. `why` it is not unpacked, for whoever has to mend it."""

    why: str


class CannotUnpack(Exception):  # noqa: N818 - it is about the batch; nothing of ours has erred
    """A payload that unpacks to more than is allowed, or not at all."""


class Count:
    """Bytes that were unpacked so far."""

    bytes = 0


count = Count()


def bounded_decoders(bytes_max: int) -> dict[str, Decode]:
    """aiokafka's four decoders, by their names there; each raises CannotUnpack, and nothing else."""

    def refused(error: Exception | None = None) -> CannotUnpack:
        said = "" if error is None else f", or to nothing: {error}"
        return CannotUnpack(f"it unpacks to more than {bytes_max} bytes{said}")

    def gzip_decode(payload: Any) -> bytes:
        with gzip.GzipFile(fileobj=io.BytesIO(payload)) as packed:
            return packed.read(bytes_max + 1)

    def snappy_decode(payload: Any) -> bytes:
        if len(payload) * SNAPPY_TIMES_MAX > bytes_max and _snappy_bytes(payload) > bytes_max:
            raise refused()
        return codec.snappy_decode(payload)  # type: ignore[no-any-return]

    def into_room(decompress_into: Callable[[Any, bytearray], int]) -> Decode:
        def decode(payload: Any) -> bytes:
            room = min(max(ROOM_AT_FIRST * len(payload), ROOM_BYTES_MIN), bytes_max)
            while True:
                unpacked = bytearray(room)
                try:
                    return bytes(memoryview(unpacked)[: decompress_into(payload, unpacked)])
                except cramjam.DecompressionError:  # says in words only whether there was too little room
                    if room == bytes_max:
                        raise
                    room = min(ROOM_AT_FIRST * room, bytes_max)

        return decode

    def bounded(decode: Decode) -> Decode:
        def decode_or_refuse(payload: Any) -> bytes:
            try:
                unpacked = decode(payload)
            except (CannotUnpack, MemoryError):  # what there is no room for now is for the next process
                raise
            except Exception as error:  # each codec has errors of its own
                raise refused(error) from error
            if len(unpacked) > bytes_max:
                raise refused()
            count.bytes += len(unpacked)
            return unpacked

        return decode_or_refuse

    return {
        "gzip_decode": bounded(gzip_decode),
        "snappy_decode": bounded(snappy_decode),
        "lz4_decode": bounded(into_room(cramjam.lz4.decompress_into)),
        "zstd_decode": bounded(into_room(cramjam.zstd.decompress_into)),
    }


def _snappy_bytes(payload: Any) -> int:
    """To how much it unpacks, as its blocks say."""
    if not codec._detect_xerial_stream(payload):
        return int(cramjam.snappy.decompress_raw_len(payload))
    total, begin, blocks = 0, XERIAL_HEADER_BYTES, memoryview(payload)
    while begin < len(blocks):
        block = begin + _BLOCK_LENGTH.size
        begin = block + _BLOCK_LENGTH.unpack_from(blocks, begin)[0]
        total += cramjam.snappy.decompress_raw_len(blocks[block:begin])
    return total


def unpack_no_more_than(bytes_max: int) -> None:
    """Have aiokafka unpack no batch to more than this; its parsers take the decoders by their names in their modules."""
    for name, decode in bounded_decoders(bytes_max).items():
        for module in (default_records, _crecords.default_records):
            setattr(module, name, decode)


def packed_batch(data: bytes, error: CannotUnpack) -> Any:
    """The one record that stands for a batch."""
    batch = default_records._DefaultRecordBatchPy(data)
    last, packer = batch.next_offset - 1, CODECS[batch.compression_type]
    value = PackedBatch(data)
    value.why = (
        f"offsets {batch.base_offset} to {last} are one batch of {len(data)} bytes, packed with {packer}; {error}"
    )
    return default_records._DefaultRecordPy(last, batch.max_timestamp, batch.timestamp_type, None, value, [])
