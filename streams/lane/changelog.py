"""Reading tables back from their changelogs.

Own loading, because Faust's waits for offsets that hold no record: transaction markers, gaps left by compaction, empty
partitions (faust-streaming/faust#176, #597). Here a partition is read when the consumer's *position* has reached the end,
whatever lies before it. Only committed records count; the partition's owner is fenced before, so the end cannot move
meanwhile. Where to begin is the store's to say: at its checkpoint, or at the beginning.
"""

import logging
import time
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.lane.batch import LaneError
from streams.lane.fetching import AS_PARSED
from streams.lane.observer import Observer
from streams.lane.positions import topics_there
from streams.lane.settings import LaneSettings
from streams.lane.stores import ChangelogFacts, Store
from streams.lane.topic_facts import deletions_kept_ms, topic_ids

log = logging.getLogger(__name__)

POLL_MS = 500
FETCH_BYTES = 8 * 1_048_576


async def load_tables(settings: LaneSettings, stores: Mapping[tuple[str, int], Store], observer: Observer) -> None:
    """Bring the store of each (table, partition) to what is committed."""
    if not stores:
        return
    consumer = AIOKafkaConsumer(
        **settings.client("changelog-loader"),
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        key_deserializer=AS_PARSED,
    )
    await consumer.start()
    try:
        _refuse_missing(await topics_there(consumer), [(settings.changelog_topic(table), n) for table, n in stores])
        await Loading(settings, stores, observer, consumer).run()
    finally:
        await consumer.stop()


def _refuse_missing(there: Any, wanted: Collection[tuple[str, int]]) -> None:
    missing = {topic for topic, _ in wanted} - there.topics()
    if missing:
        raise LaneError(f"changelog topics are missing: {', '.join(sorted(missing))}")
    for topic, number in wanted:
        if number not in there.partitions_for_topic(topic):
            raise LaneError(
                f"{topic} has no partition {number}, and its source has one: their numbers must agree, and stay"
            )


class Loading:
    """Reads each partition until its position has reached the end it had at the beginning."""

    def __init__(
        self, settings: LaneSettings, stores: Mapping[tuple[str, int], Store], observer: Observer, consumer: Any
    ) -> None:
        self._consumer = consumer
        self._observer = observer
        self._tables = {TopicPartition(settings.changelog_topic(table), n): (table, n) for table, n in stores}
        self._stores = {partition: stores[name] for partition, name in self._tables.items()}
        self._loaded = dict.fromkeys(self._tables, 0)
        self._ends: Mapping[TopicPartition, int] = {}

    async def run(self) -> None:
        consumer, partitions = self._consumer, list(self._tables)
        consumer.assign(partitions)
        facts = await self._facts(partitions)
        self._ends = {partition: each.end for partition, each in facts.items()}
        for partition, store in self._stores.items():
            consumer.seek(partition, store.begin(facts[partition]))
        unread = {partition for partition in partitions if not await self._is_read(partition)}
        while unread:
            fetched = await consumer.getmany(*unread, timeout_ms=POLL_MS)
            for partition, records in fetched.items():
                if records:
                    self._stores[partition].follow(records)
                    self._loaded[partition] += len(records)
            unread = {partition for partition in unread if not await self._is_read(partition)}

    async def _facts(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, ChangelogFacts]:
        """What lasts has to know more than where a log begins and ends."""
        at = time.time()
        lasting = {partition.topic for partition, store in self._stores.items() if store.lasting}
        ids = await topic_ids(self._consumer._client, lasting) if lasting else {}
        kept_ms = await deletions_kept_ms(self._consumer._client, lasting) if lasting else {}
        beginnings = await self._consumer.beginning_offsets(partitions)
        ends = await self._consumer.end_offsets(partitions)
        return {
            each: ChangelogFacts(ids.get(each.topic), beginnings[each], ends[each], kept_ms.get(each.topic), at)
            for each in partitions
        }

    async def _is_read(self, partition: TopicPartition) -> bool:
        position, end = await self._consumer.position(partition), self._ends[partition]
        table, number = self._tables[partition]
        self._observer.recovery(table, number, self._loaded[partition], min(position, end), end)
        if position < end:
            return False
        await self._stores[partition].complete(end)
        log.info("table %s[%d]: %d changelog records read", table, number, self._loaded[partition])
        return True
