"""Reading tables back from their changelogs.

Own loading, because Faust's waits for offsets that hold no record: transaction markers, gaps left by compaction, empty
partitions. Here a partition is read when the consumer's *position* has reached the end, whatever lies before it. Only
committed records count; the partition's owner is fenced before, so the end cannot move meanwhile.
"""

import logging
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.lane.batch import LaneError
from streams.lane.observer import Observer
from streams.lane.settings import LaneSettings

log = logging.getLogger(__name__)

Values = dict[bytes, bytes]
POLL_MS = 500
FETCH_BYTES = 8 * 1_048_576


async def load_tables(
    settings: LaneSettings, partitions: Collection[tuple[str, int]], observer: Observer
) -> Mapping[tuple[str, int], Values]:
    """The values of each (table, partition), as committed."""
    if not partitions:
        return {}
    consumer = AIOKafkaConsumer(
        **settings.client("changelog-loader"),
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await consumer.start()
    try:
        missing = {settings.changelog_topic(table) for table, _ in partitions} - await consumer.topics()
        if missing:  # aiokafka would wait for them to appear
            raise LaneError(f"changelog topics are missing: {', '.join(sorted(missing))}")
        return await Loading(settings, partitions, observer, consumer).run()
    finally:
        await consumer.stop()


class Loading:
    """Reads each partition until its position has reached the end it had at the beginning."""

    def __init__(
        self, settings: LaneSettings, partitions: Collection[tuple[str, int]], observer: Observer, consumer: Any
    ) -> None:
        self._consumer = consumer
        self._observer = observer
        self._tables = {TopicPartition(settings.changelog_topic(table), n): (table, n) for table, n in partitions}
        self._values: dict[tuple[str, int], Values] = {name: {} for name in self._tables.values()}
        self._loaded = dict.fromkeys(self._tables, 0)
        self._ends: Mapping[TopicPartition, int] = {}

    async def run(self) -> Mapping[tuple[str, int], Values]:
        consumer, partitions = self._consumer, list(self._tables)
        consumer.assign(partitions)
        starts = await consumer.beginning_offsets(partitions)
        self._ends = await consumer.end_offsets(partitions)
        for partition, start in starts.items():
            consumer.seek(partition, start)
        unread = {partition for partition in partitions if not await self._is_read(partition)}
        while unread:
            fetched = await consumer.getmany(*unread, timeout_ms=POLL_MS)
            for partition, records in fetched.items():
                self._apply(partition, records)
            unread = {partition for partition in unread if not await self._is_read(partition)}
        return self._values

    def _apply(self, partition: TopicPartition, records: Collection[Any]) -> None:
        values = self._values[self._tables[partition]]
        for record in records:
            if record.value is None:
                values.pop(record.key, None)
            else:
                values[record.key] = record.value
        self._loaded[partition] += len(records)

    async def _is_read(self, partition: TopicPartition) -> bool:
        position, end = await self._consumer.position(partition), self._ends[partition]
        table, number = self._tables[partition]
        self._observer.recovery(table, number, self._loaded[partition], min(position, end), end)
        if position < end:
            return False
        log.info("table %s[%d]: %d changelog records read", table, number, self._loaded[partition])
        return True
