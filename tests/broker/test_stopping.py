"""What a broker that is stopped in the middle of commits makes of them: see streams/broker/fencing.py."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from streams.broker import LocalBroker

pytestmark = pytest.mark.kafka

TOPIC = "broker-test-stopping"
PARTITIONS = 40
PRODUCERS = 6
TRANSACTIONS_BEFORE = 5
ENDED_SECONDS = 60.0


async def test_a_clean_stop_in_the_middle_of_commits_leaves_none_of_them_half_done(broker: LocalBroker) -> None:
    """Each transaction is there in all of its partitions or in none, and none is left open."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
    await admin.close()
    begun = Counter[int]()
    committing = [asyncio.create_task(commit_for_ever(broker, number, begun)) for number in range(PRODUCERS)]
    async with asyncio.timeout(ENDED_SECONDS):
        while len(begun) < PRODUCERS or min(begun.values()) < TRANSACTIONS_BEFORE:
            await asyncio.sleep(0.01)
    await asyncio.to_thread(broker.restart)
    for task in committing:
        task.cancel()
    await asyncio.gather(*committing, return_exceptions=True)
    seen = await read(broker)
    halved = {value: count for value, count in seen.items() if count != PARTITIONS}
    assert seen and not halved, f"of {PARTITIONS} partitions, these transactions are in: {halved}"


async def commit_for_ever(broker: LocalBroker, number: int, begun: Counter[int]) -> None:
    """One transaction after the other, each over all partitions, until the broker is gone."""
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, transactional_id=f"{TOPIC}-{number}", transaction_timeout_ms=2_000
    )
    await producer.start()
    try:
        with suppress(KafkaError):
            while True:
                begun[number] += 1
                await producer.begin_transaction()
                value = b"%d/%d" % (number, begun[number])
                sent = [await producer.send(TOPIC, value, partition=each) for each in range(PARTITIONS)]
                await asyncio.gather(*sent)
                await producer.commit_transaction()
    finally:
        with suppress(Exception):
            await asyncio.wait_for(producer.stop(), 1.0)


async def read(broker: LocalBroker) -> Counter[bytes]:
    """In how many partitions each committed transaction stands; once every one is over."""
    settings = {"bootstrap_servers": broker.bootstrap_servers, "auto_offset_reset": "earliest"}
    everything = AIOKafkaConsumer(**settings)
    committed = AIOKafkaConsumer(**settings, isolation_level="read_committed")
    await asyncio.gather(everything.start(), committed.start())
    places = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    try:
        async with asyncio.timeout(ENDED_SECONDS):  # what was open when the broker stopped ends by its own time-out
            while (ends := await everything.end_offsets(places)) != await committed.end_offsets(places):
                await asyncio.sleep(0.1)
        committed.assign(places)
        for place, offset in (await committed.beginning_offsets(places)).items():
            committed.seek(place, offset)
        seen = Counter[bytes]()
        while unread := [place for place in places if await committed.position(place) < ends[place]]:
            for records in (await committed.getmany(*unread, timeout_ms=200)).values():
                seen.update(record.value for record in records)
        return seen
    finally:
        await asyncio.gather(everything.stop(), committed.stop())
