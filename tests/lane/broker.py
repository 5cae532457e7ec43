"""What these tests do with a broker: topics, records in, records out."""

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.lane.partitions import murmur2
from streams.operating.reading import POLL_MILLISECONDS

_numbers = itertools.count(int(time.time() * 1000))


def fresh(name: str) -> str:
    """A name that no earlier run has used."""
    return f"{name}-{next(_numbers)}"


async def create_topics(servers: str, topics: Iterable[str], partitions: int, **config: str) -> None:
    """Create and wait until every partition has a leader."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        names = list(topics)
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config) for name in names])
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            described = await admin.describe_topics(names)
            leaders = [p["leader"] for topic in described for p in topic["partitions"]]
            if len(leaders) == partitions * len(names) and min(leaders) >= 0:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"no leaders for {names}")
    finally:
        await admin.close()


async def produce(servers: str, topic: str, records: Iterable[tuple[bytes, bytes | None]], partitions: int) -> None:
    """Send records, each to the partition of its key, in large batches."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, max_batch_size=900_000, max_request_size=20_000_000)
    await producer.start()
    try:
        batches = {}
        deliveries = []
        for key, value in records:
            partition = (murmur2(key) & 0x7FFFFFFF) % partitions
            batch = batches.setdefault(partition, producer.create_batch())
            if batch.append(timestamp=None, key=key, value=value) is None:
                deliveries.append(await producer.send_batch(batch, topic, partition=partition))
                batch = batches[partition] = producer.create_batch()
                assert batch.append(timestamp=None, key=key, value=value)
        for partition, batch in batches.items():
            deliveries.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*deliveries)
    finally:
        await producer.stop()


async def read_committed(
    servers: str, topic: str, records: int | None = None, seconds: float = 40
) -> list[ConsumerRecord]:
    """The committed records of a topic: as many as asked for, or up to the present end; fewer at the deadline."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8_000_000,
        fetch_max_wait_ms=POLL_MILLISECONDS,
    )
    await consumer.start()
    try:
        tps = [TopicPartition(topic, n) for n in await consumer._client._wait_on_metadata(topic)]
        consumer.assign(tps)
        for tp, offset in (await consumer.beginning_offsets(tps)).items():
            consumer.seek(tp, offset)
        ends = await consumer.end_offsets(tps)
        found: list[ConsumerRecord] = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for fetched in (await consumer.getmany(timeout_ms=POLL_MILLISECONDS)).values():
                found.extend(fetched)
            at_end = all([await consumer.position(tp) >= ends[tp] for tp in tps])
            if len(found) >= records if records is not None else at_end:
                break
        return found
    finally:
        await consumer.stop()


async def committed_state(servers: str, changelog: str) -> dict[bytes, bytes]:
    """The table that its changelog describes."""
    state: dict[bytes, bytes] = {}
    for record in await read_committed(servers, changelog):
        if record.value is None:
            state.pop(record.key, None)
        else:
            state[record.key] = record.value
    return state


def counts_by_key(records: Iterable[ConsumerRecord]) -> Mapping[bytes, list[int]]:
    found: dict[bytes, list[int]] = defaultdict(list)
    for record in records:
        found[record.key].append(int(record.value))
    return found
