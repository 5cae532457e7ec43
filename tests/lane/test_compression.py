"""What producers compress with is read: a batch that cannot be unpacked would end every worker, at every start."""

from __future__ import annotations

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_of_each_codec_is_unpacked(codec: str) -> None:
    """aiokafka reads lz4, snappy and zstd by a package that it does not bring by itself."""
    builder = DefaultRecordBatchBuilder(2, CODECS[codec], 0, -1, -1, 0, 100_000)
    values = [b"%d" % number * 100 for number in range(20)]
    for offset, value in enumerate(values):
        builder.append(offset, 0, b"775", value, [])
    records = MemoryRecords(bytes(builder.build()))
    assert records.has_next()
    assert [record.value for record in records.next_batch()] == values
