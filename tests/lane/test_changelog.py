"""Tables come back from their changelogs, whatever these look like; in memory and on disk alike."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from streams.lane.batch import LaneError
from streams.lane.changelog import load_tables
from streams.lane.observer import Observer
from streams.lane.settings import LaneSettings
from streams.lane.stores import stores_of
from tests.lane.broker import create_topics, fresh, read_committed

pytestmark = pytest.mark.kafka

COMPACTION_SECONDS = 60
Loaded = Callable[..., Awaitable[list[dict[bytes, bytes]]]]
# Segments close at once and whatever is closed is compacted at once, deletions included.
EAGER = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.001",
    "max.compaction.lag.ms": "100",
    "delete.retention.ms": "0",
}


class Progress(Observer):
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int, int, int]] = []

    def recovery(self, table: str, partition: int, loaded: int, position: int, end: int) -> None:
        self.seen.append((table, partition, loaded, position, end))


@pytest.fixture
async def settings(kafka: str) -> LaneSettings:
    return LaneSettings(app_id=fresh("app"), bootstrap_servers=kafka)


@pytest.fixture
async def producer(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=fresh("writer"))
    await producer.start()
    yield producer
    await producer.stop()


@pytest.fixture
def loaded(settings: LaneSettings, tmp_path: Path) -> Loaded:
    """What is read back of table partitions by a process that has never held them: the same in memory and on disk."""

    async def load(*places: tuple[str, int], observer: Observer | None = None) -> list[dict[bytes, bytes]]:
        found = []
        for folder in (None, str(tmp_path / fresh("data"))):
            stores = {place: stores_of(replace(settings, data_folder=folder)).store(*place, None) for place in places}
            await load_tables(settings, stores, observer or Observer())
            found.append([dict(store.items()) for store in stores.values()])
            for store in stores.values():
                store.close()
        assert found[0] == found[1]
        return found[0]

    return load


async def write(
    producer: AIOKafkaProducer, topic: str, values: dict[bytes, bytes | None], *, commit: bool = True
) -> None:
    await producer.begin_transaction()
    for key, value in values.items():
        await producer.send(topic, value, key=key, partition=0)
    await (producer.commit_transaction() if commit else producer.abort_transaction())


async def test_empty_partitions_load_at_once(kafka: str, settings: LaneSettings, loaded: Loaded) -> None:
    """A new table has no records to wait for."""
    await create_topics(kafka, [settings.changelog_topic("new")], 3, **{"cleanup.policy": "compact"})
    progress = Progress()
    async with asyncio.timeout(5):
        assert await loaded(("new", 0), ("new", 2), observer=progress) == [{}, {}]
    assert set(progress.seen) == {("new", 0, 0, 0, 0), ("new", 2, 0, 0, 0)}


async def test_a_missing_changelog_is_an_error_at_once(settings: LaneSettings, loaded: Loaded) -> None:
    """Waiting for it would look like a long recovery."""
    async with asyncio.timeout(5):
        with pytest.raises(LaneError, match=f"changelog topics are missing: {settings.changelog_topic('none')}"):
            await loaded(("none", 0))


async def test_a_changelog_with_fewer_partitions_than_its_source_is_an_error_at_once(
    kafka: str, settings: LaneSettings, loaded: Loaded
) -> None:
    """Somebody added partitions to the source: aiokafka would ask for the new one's end until its time is out."""
    topic = settings.changelog_topic("people")
    await create_topics(kafka, [topic], 1, **{"cleanup.policy": "compact"})
    async with asyncio.timeout(5):
        with pytest.raises(LaneError, match=f"{topic} has no partition 1, and its source has one"):
            await loaded(("people", 0), ("people", 1))


async def test_only_what_was_committed_last_is_loaded(
    kafka: str, settings: LaneSettings, producer: AIOKafkaProducer, loaded: Loaded
) -> None:
    """Aborted writes do not count, deletions do, and the end may be nothing but markers."""
    topic = settings.changelog_topic("people")
    await create_topics(kafka, [topic], 1, **{"cleanup.policy": "compact"})
    await write(producer, topic, {b"a": b"1", b"b": b"1", b"c": b"1"})
    await write(producer, topic, {b"a": b"2", b"b": None})
    await write(producer, topic, {b"a": b"3", b"d": b"3"}, commit=False)
    async with asyncio.timeout(5):
        assert await loaded(("people", 0)) == [{b"a": b"2", b"c": b"1"}]


async def test_a_compacted_changelog_loads_across_its_gaps(
    kafka: str, settings: LaneSettings, producer: AIOKafkaProducer, loaded: Loaded
) -> None:
    """Compaction leaves holes everywhere, at the beginning and before the end too."""
    topic = settings.changelog_topic("people")
    await create_topics(kafka, [topic], 1, **EAGER)
    for n in range(20):
        await write(producer, topic, {b"key-%d" % k: b"%d" % n for k in range(50)})
    await write(producer, topic, {b"key-%d" % k: None for k in range(40)})
    expected = {b"key-%d" % k: b"19" for k in range(40, 50)}
    compacted = False
    async with asyncio.timeout(COMPACTION_SECONDS):
        while not compacted:
            # A segment closes only when something is written after its time.
            await write(producer, topic, {b"last": b"word"}, commit=False)
            left = len(await read_committed(kafka, topic))
            compacted = left <= len(expected) + 5
            assert await loaded(("people", 0)) == [expected]
