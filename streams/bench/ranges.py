"""What a wave was: ranges of offsets, hop by hop. All that the helpers need to do the same again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from msgspec import Struct

POLL_MS = 200
READ_SECONDS_MAX = 120.0


class Range(NamedTuple):
    """Offsets of one partition, `end` not among them. Between them there may be transaction markers, which nobody reads."""

    topic: str
    partition: int
    begin: int
    end: int


class Hop(Struct, frozen=True):
    """One agent's part of a wave: what it read and what it wrote, its changelogs among it."""

    reads: tuple[Range, ...]
    writes: tuple[Range, ...]


class Wave(Struct, frozen=True):
    """Both hops of a wave: of intake, of sync."""

    hops: tuple[Hop, ...]


class Traffic(Struct, frozen=True):
    """Messages and their bytes: keys, values and headers."""

    messages: int = 0
    bytes: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.messages + other.messages, self.bytes + other.bytes)


def traffic_of(records: Iterable[Any]) -> Traffic:
    """How many records these are, and how large they are together."""
    sizes = [record_bytes(record.key, record.value, record.headers) for record in records]
    return Traffic(len(sizes), sum(sizes))


def record_bytes(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> int:
    """What a record carries; what Kafka adds to it is the same for the same record."""
    return len(key or b"") + len(value or b"") + sum(len(name) + len(content) for name, content in headers)


async def read_ranges(consumer: Any, ranges: Iterable[Range]) -> Mapping[TopicPartition, list[Any]]:
    """The records of these ranges, partition by partition in the order given."""
    asked = [each for each in ranges if each.end > each.begin]
    ends = {TopicPartition(each.topic, each.partition): each.end for each in asked}
    found: dict[TopicPartition, list[Any]] = {place: [] for place in ends}
    consumer.assign(list(ends))
    for place, each in zip(ends, asked, strict=True):
        consumer.seek(place, each.begin)
    async with asyncio.timeout(READ_SECONDS_MAX):
        unread = set(ends)
        while unread:
            for place, records in (await consumer.getmany(*unread, timeout_ms=POLL_MS)).items():
                found[place] += [record for record in records if record.offset < ends[place]]
            unread = {place for place in unread if await consumer.position(place) < ends[place]}
    consumer.pause(*ends)  # or it would go on fetching what comes there while a subject is measured
    return found
