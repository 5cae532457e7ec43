"""Reading topics as they are: what is committed, to the end of now."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from streams.lane.partitions import murmur2
from streams.operating.reading import Reader, partition_of
from streams.topics import TopicsError
from tests.operating.conftest import Installation, Sent

pytestmark = pytest.mark.kafka
SECONDS = 20.0


async def values(installation: Installation, name: str, partition: int | None = None) -> list[bytes]:
    async with asyncio.timeout(SECONDS), Reader(installation.settings) as reader:
        return [record.value async for record in reader.records(installation.topic(name), partition)]


def test_every_record_is_read_in_the_order_of_its_partition(installation: Installation) -> None:
    """All partitions, or the one asked for; an empty topic ends at once."""
    topic = installation.topic("activity-log")
    installation.write(*(Sent(topic, b"k", b"%d" % number, number % 2) for number in range(40)))
    assert asyncio.run(values(installation, "activity-log", 1)) == [b"%d" % number for number in range(1, 40, 2)]
    assert len(asyncio.run(values(installation, "activity-log"))) == 40
    assert asyncio.run(values(installation, "policies")) == []


def test_an_open_transaction_neither_shows_nor_delays(installation: Installation) -> None:
    """What is not committed, or was aborted, is not read, and nobody waits for it."""

    async def scene() -> tuple[list[bytes], list[bytes]]:
        topic, transactional_id = installation.topic("activity-log"), installation.settings.prefix
        async with AIOKafkaProducer(
            bootstrap_servers=installation.settings.bootstrap_servers, transactional_id=transactional_id
        ) as producer:
            async with producer.transaction():
                await producer.send_and_wait(topic, b"committed", partition=0)
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"not yet", partition=0)
            during = await values(installation, "activity-log")
            await producer.abort_transaction()
            return during, await values(installation, "activity-log")

    during, after = asyncio.run(scene())
    assert during == after == [b"committed"]


def test_a_key_is_where_our_producers_put_it(installation: Installation) -> None:
    """The partition of a key is the one that aiokafka, and so the worker, chooses."""
    keys = [b"%d" % number for number in range(30)]
    installation.write(*(Sent(installation.topic("activity-log"), key, b"") for key in keys))
    found = {record.key: record.partition for record in installation.read("activity-log")}
    assert found == {key: partition_of(key, 3) for key in keys}
    assert len({murmur2(key) for key in keys}) == 30


def test_the_last_value_of_a_key_is_found_in_any_partition(installation: Installation) -> None:
    """Where it belongs, or where a producer with another partitioner put it; a deleted key is not found."""

    async def latest(key: bytes) -> bytes | None:
        async with Reader(installation.settings) as reader:
            record = await reader.latest(installation.topic("activity-log"), key)
            return None if record is None else bytes(record.value)

    topic = installation.topic("activity-log")
    for partition in range(3):
        installation.write(Sent(topic, b"in-%d" % partition, b"old", partition))
        installation.write(Sent(topic, b"in-%d" % partition, b"new", partition))
    installation.write(Sent(topic, b"gone", b"x", 0), Sent(topic, b"gone", None, 0))
    assert [asyncio.run(latest(b"in-%d" % partition)) for partition in range(3)] == [b"new"] * 3
    assert asyncio.run(latest(b"gone")) is None
    assert asyncio.run(latest(b"never")) is None


def test_a_topic_that_is_not_there_is_told(installation: Installation) -> None:
    """A wrong prefix is one clear line, and creates nothing."""

    async def read() -> None:
        async with Reader(installation.settings) as reader:
            reader.partitions("no-such-topic")

    with pytest.raises(TopicsError, match="no-such-topic is no topic of this broker"):
        asyncio.run(read())
