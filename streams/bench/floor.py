"""The floor: the least that aiokafka can do to read what the worker read and write what the worker wrote.

One consumer without a group, one producer without transactions. What is written was read beforehand, in full and untimed, so
the timed loop only fetches, appends ready bytes to batches and sends them: after each fetch as large a share of a hop's
messages as of its input was read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from time import perf_counter, process_time
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.app import lane_settings
from streams.bench.cost import Cost
from streams.bench.helper import Answer, AnswerWave, answer_waves
from streams.bench.ranges import Hop, Traffic, Wave, read_ranges, record_bytes, traffic_of
from streams.bench.wire import floor_topic
from streams.settings import Settings

POLL_MS = 500


class Ready(NamedTuple):
    """A message as it is handed to a batch, and where it goes."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class FloorHop:
    """One hop of a wave: how much is to be read, and what is to be written meanwhile."""

    def __init__(self, to_read: int, ready: list[Ready]) -> None:
        self.to_read, self.ready = to_read, ready
        self._read = self._written = 0

    @property
    def done(self) -> bool:
        """Whether all was read."""
        return self._read >= self.to_read

    def share(self, read: int) -> list[Ready]:
        """What so many messages more that were read are answered with."""
        self._read += read
        begin, self._written = self._written, len(self.ready) * self._read // self.to_read
        return self.ready[begin : self._written]


class Floor:
    """The bare loop, with its clients."""

    def __init__(self, settings: Settings, consumer: Any, producer: Any) -> None:
        self._settings, self._consumer, self._producer = settings, consumer, producer

    async def answer(self, wave: Wave) -> Answer:
        """Do a wave again and say what it took."""
        hops = {topic: made for hop in wave.hops for made in [await self._hop(hop)] for topic, *_ in hop.reads}
        for topic, partition, begin, _ in self._stand_before(wave):
            self._consumer.seek(TopicPartition(topic, partition), begin)
        kept: list[Any] = []
        began, began_cpu = perf_counter(), process_time()
        await self._loop(hops, kept)
        cost = Cost(perf_counter() - began, process_time() - began_cpu)
        self._consumer.pause(*self._consumer.assignment())  # idle while the others are measured
        written = [ready for hop in set(hops.values()) for ready in hop.ready]
        sizes = [record_bytes(ready.key, ready.value, ready.headers) for ready in written]
        return Answer({"floor": cost}, traffic_of(kept), Traffic(len(sizes), sum(sizes)))

    async def _hop(self, hop: Hop) -> FloorHop:
        reads = await read_ranges(self._consumer, hop.reads)
        writes = await read_ranges(self._consumer, hop.writes)
        ready = [
            Ready(floor_topic(self._settings, place.topic), place.partition, each.key, each.value, list(each.headers))
            for place, records in writes.items()
            for each in records
        ]
        return FloorHop(sum(map(len, reads.values())), ready)

    def _stand_before(self, wave: Wave) -> list[Any]:
        ranges = [each for hop in wave.hops for each in hop.reads if each.end > each.begin]
        self._consumer.assign([TopicPartition(each.topic, each.partition) for each in ranges])
        return ranges

    async def _loop(self, hops: dict[str, FloorHop], kept: list[Any]) -> None:
        deliveries: list[asyncio.Future[Any]] = []
        while not all(hop.done for hop in hops.values()):
            for place, records in (await self._consumer.getmany(timeout_ms=POLL_MS)).items():
                kept += records
                await self._send(hops[place.topic].share(len(records)), deliveries)
        await asyncio.gather(*deliveries)

    async def _send(self, share: Iterable[Ready], deliveries: list[asyncio.Future[Any]]) -> None:
        batches: dict[tuple[str, int], list[Any]] = {}
        create = self._producer.create_batch
        for topic, partition, key, value, headers in share:
            of_place = batches.get((topic, partition))
            if of_place is None:
                of_place = batches[topic, partition] = [create()]
            if of_place[-1].append(timestamp=None, key=key, value=value, headers=headers) is None:
                of_place.append(create())
                of_place[-1].append(timestamp=None, key=key, value=value, headers=headers)
        for (topic, partition), full in batches.items():
            for batch in full:
                deliveries.append(await self._producer.send_batch(batch, topic, partition=partition))


@asynccontextmanager
async def floor(settings: Settings) -> AsyncIterator[AnswerWave]:
    """The loop, connected, with the worker's own sizes of fetches and batches."""
    lane = lane_settings(settings)
    consumer: Any = AIOKafkaConsumer(
        **settings.client("bench-floor"),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=lane.max_partition_fetch_bytes,
    )
    producer: Any = AIOKafkaProducer(
        **settings.client("bench-floor"),
        max_batch_size=lane.produce_batch_bytes,
        max_request_size=lane.max_record_bytes + lane.produce_batch_bytes,
    )
    await asyncio.gather(consumer.start(), producer.start())
    try:
        yield Floor(settings, consumer, producer).answer
    finally:
        await asyncio.gather(consumer.stop(), producer.stop())


if __name__ == "__main__":
    answer_waves(floor)
