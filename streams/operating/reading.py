"""Reading a topic as it is now: committed messages only, from its beginning to the end it has when asked.

No consumer group, so that looking never moves a worker's partitions or offsets. The end is that of what is committed, so
an open transaction delays nobody; and it is fixed at the start, so that reading a busy topic ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.lane.partitions import murmur2
from streams.lane.positions import topics_there
from streams.settings import Settings
from streams.topics import TopicsError

POLL_MILLISECONDS = 20
"""What is read stands there already. Behind the last record may be markers only, and nothing comes to end a longer wait."""
FETCH_BYTES = 8 * 1_048_576


def partition_of(key: bytes, partitions: int) -> int:
    """Where a message with this key stands on a topic of ours."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


async def up_to_the_end(
    consumer: Any, places: Collection[TopicPartition], ends: Mapping[TopicPartition, int] | None = None
) -> AsyncIterator[Any]:
    """Every record from where the consumer stands in these partitions, up to these ends, else to those that it sees now."""
    if ends is None:
        ends = await consumer.end_offsets(places)
    while unread := [place for place in places if await consumer.position(place) < ends[place]]:
        for place, records in (await consumer.getmany(*unread, timeout_ms=POLL_MILLISECONDS)).items():
            for record in records:
                if record.offset < ends[place]:
                    yield record


class Reader:
    """One connection for all that a command reads; an async context manager. One reading at a time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._consumer: Any = AIOKafkaConsumer(
            **settings.client("operating"),
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=POLL_MILLISECONDS,
        )
        self._cluster: Any = None

    async def __aenter__(self) -> Reader:
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        self._cluster = await topics_there(self._consumer)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has. Raises TopicsError where there is none of this name."""
        partitions = self._cluster.partitions_for_topic(topic)
        if not partitions:
            raise TopicsError(f"{topic} is no topic of this broker; is --prefix right? `leadsync topics` creates them")
        return len(partitions)

    async def records(self, topic: str, partition: int | None = None) -> AsyncIterator[Any]:
        """Every record of a topic, or of one partition of it; in order within each partition."""
        numbers = range(self.partitions(topic)) if partition is None else (partition,)
        tps = [TopicPartition(topic, number) for number in numbers]
        self._consumer.assign(tps)
        for tp, offset in (await self._consumer.beginning_offsets(tps)).items():
            self._consumer.seek(tp, offset)
        async for record in up_to_the_end(self._consumer, tps):
            yield record

    async def latest(self, topic: str, key: bytes) -> Any | None:
        """The last record of a key, as a table's changelog has it; None where there is none, or it was deleted.

        Looked for where the key belongs first, then in the other partitions: a table's partitions are its source's, and a
        producer of the source may have its own way of choosing one (librdkafka's default is not Java's).
        """
        count = self.partitions(topic)
        home = partition_of(key, count)
        for number in (home, *(n for n in range(count) if n != home)):
            last = None
            async for record in self.records(topic, number):
                if record.key == key:
                    last = record
            if last is not None and last.value is not None:
                return last
        return None
