"""What is broken in aiokafka and Kafka and shows on a real broker only: see streams/workarounds.md."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.consumer import consumer as consumer_module
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError, OffsetOutOfRangeError, ProducerFenced

from streams.broker.server import LocalBroker
from streams.lane import LaneSettings, Output
from streams.lane.failed_fetches import HeedfulFetcher
from streams.lane.fetching import AS_PARSED
from streams.lane.loops import new_event_loop
from streams.lane.partitions import Partitioner
from streams.lane.positions import partitions_of, starts
from streams.lane.stable_offsets import stable_offsets
from streams.lane.transaction import Transactor
from tests.lane.broker import create_topics, fresh, produce, read_committed
from tests.lane.counting_worker import Options
from tests.lane.scene import KEYS, PARTITIONS, Scene
from tests.lane.workers import eventually, workers

pytestmark = pytest.mark.kafka

SOON_SECONDS = 5.0  # well below the time-out of a transaction
STRANGERS_SESSION_MS = 6_000
BACK_SECONDS = 30.0  # within these a broker that was killed answers again
UNSTABLE = pytest.mark.xfail(reason="aiokafka: none found", raises=AssertionError, strict=True)


@asynccontextmanager
async def transactor(settings: LaneSettings, source: str, partition: int = 0) -> AsyncIterator[Transactor]:
    """The owner of a source partition."""
    made = Transactor(settings, Partitioner(), "agent", source, partition)
    await made.fence()
    try:
        yield made
    finally:
        await made.close()
        # aiokafka never asks its fenced task what it died of; told now rather than in the midst of another test.
        gc.collect()


@asynccontextmanager
async def consumer(servers: str, group: str | None, *partitions: TopicPartition) -> AsyncIterator[Any]:
    """A consumer that commits nothing by itself."""
    made = AIOKafkaConsumer(
        bootstrap_servers=servers, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await made.start()
    try:
        made.assign(list(partitions))
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def transactional_producer(servers: str) -> AsyncIterator[Any]:
    made = AIOKafkaProducer(bootstrap_servers=servers, transactional_id=fresh("producer"))
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def committed(servers: str, group: str, partition: TopicPartition) -> int | None:
    async with consumer(servers, group, partition) as asking:
        offset: int | None = await asking.committed(partition)
        return offset


# -- Transactions -----------------------------------------------------------------------------------------------------


async def test_an_output_that_the_broker_refuses_takes_its_batch_with_it(kafka: str) -> None:
    """Whoever does not await deliveries commits without it, and past its cause."""
    source, target = fresh("source"), fresh("target")
    await create_topics(kafka, [source], 1)
    await create_topics(kafka, [target], 1, **{"max.message.bytes": "1000"})
    settings = LaneSettings(app_id=fresh("app"), bootstrap_servers=kafka)
    async with transactor(settings, source) as owner:
        with pytest.raises(MessageSizeTooLargeError):
            await owner.commit([Output(target, b"key", b"x" * 5_000)], None, {}, 1)
    assert await read_committed(kafka, target) == []
    assert await committed(kafka, settings.app_id, TopicPartition(source, 0)) is None


async def test_whoever_takes_over_frees_readers_from_what_was_left_open(kafka: str) -> None:
    """An open transaction hides what others commit behind it, until its owner is fenced or its time is out."""
    source, target = fresh("source"), fresh("target")
    await create_topics(kafka, [source, target], 1)
    settings = LaneSettings(app_id=fresh("app"), bootstrap_servers=kafka, transaction_timeout_ms=60_000)
    async with transactor(settings, source) as dead:
        await dead._producer.begin_transaction()
        await dead._producer.send_and_wait(target, b"left open", partition=0)
        await produce(kafka, target, [(b"key", b"of another")], 1)
        assert await read_committed(kafka, target, 1, seconds=0.5) == []
        async with transactor(settings, source):
            [record] = await read_committed(kafka, target, 1, seconds=SOON_SECONDS)
            assert record.value == b"of another"
        with pytest.raises(ProducerFenced):
            await dead._producer.commit_transaction()


async def test_a_transaction_that_nobody_ends_is_ended_by_the_broker(kafka: str) -> None:
    """Of an owner without a successor, say, or where replicas really lack: readers go on, and the owner is told."""
    source, target = fresh("source"), fresh("target")
    await create_topics(kafka, [source, target], 1)
    settings = LaneSettings(app_id=fresh("app"), bootstrap_servers=kafka, transaction_timeout_ms=1_000)
    async with transactor(settings, source) as stalled:
        await stalled._producer.begin_transaction()
        await stalled._producer.send_and_wait(target, b"left open", partition=0)
        await produce(kafka, target, [(b"key", b"of another")], 1)
        [record] = await read_committed(kafka, target, 1, seconds=SOON_SECONDS)
        assert record.value == b"of another"
        with pytest.raises(ProducerFenced):
            await stalled._producer.commit_transaction()


@pytest.mark.parametrize("loop_factory", [pytest.param(asyncio.new_event_loop, marks=UNSTABLE), new_event_loop])
def test_whoever_is_fenced_is_told_so_once(
    kafka: str, loop_factory: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    """By the exception of its commit, and by no word of what nobody has asked."""

    async def fenced() -> None:
        source, target = fresh("source"), fresh("target")
        await create_topics(kafka, [source], 1)
        await create_topics(kafka, [target], 4)
        settings = LaneSettings(app_id=fresh("app"), bootstrap_servers=kafka)
        async with transactor(settings, source) as former, transactor(settings, source):
            with pytest.raises(ProducerFenced):
                await former.commit([Output(target, key, b"v") for key in KEYS[:20]], None, {}, 1)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(fenced())
        gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


async def test_a_table_is_written_where_its_source_partition_stands_whatever_the_keys(kafka: str) -> None:
    """Table and source partition change hands together; a key's own partition might be somebody else's."""
    source = fresh("source")
    settings = LaneSettings(app_id=fresh("app"), bootstrap_servers=kafka)
    changelog = settings.changelog_topic("table")
    await create_topics(kafka, [source, changelog], PARTITIONS)
    async with transactor(settings, source, 2) as owner:
        follows = await owner.commit([], changelog, dict.fromkeys(KEYS[:20], b"value"), 1)
    records = await read_committed(kafka, changelog, 20)
    assert {record.partition for record in records} == {2}
    assert follows == 20


# -- Positions --------------------------------------------------------------------------------------------------------


async def old_offset(servers: str, group: str, partition: TopicPartition) -> int | None:
    """As aiokafka asks."""
    return await committed(servers, group, partition)


async def stable_offset(servers: str, group: str, partition: TopicPartition) -> int | None:
    """As we ask."""
    async with consumer(servers, None) as asking:
        return (await stable_offsets(asking, group, [partition])).get(partition)


OffsetOf = Callable[[str, str, TopicPartition], Awaitable[int | None]]


@pytest.mark.parametrize("offset_of", [pytest.param(old_offset, marks=UNSTABLE), stable_offset])
async def test_an_offset_whose_transaction_is_not_over_is_waited_for(kafka: str, offset_of: OffsetOf) -> None:
    """A commit is answered before its offset counts; whoever asked in between would handle its records again."""
    group, partition = fresh("group"), TopicPartition(fresh("source"), 0)
    await create_topics(kafka, [partition.topic], 1)
    async with transactional_producer(kafka) as producer:
        for offset in (7, 8):
            await producer.begin_transaction()
            await producer.send_offsets_to_transaction({partition: offset}, group)
            if offset == 7:
                await producer.commit_transaction()
        asking = asyncio.create_task(offset_of(kafka, group, partition))
        await asyncio.wait([asking], timeout=0.5)
        await producer.commit_transaction()
        assert await asking == 8


async def test_a_broker_that_was_killed_tells_every_commit_as_soon_as_it_is_back(broker: LocalBroker) -> None:
    """Asked as aiokafka asks, it says for a while that there is none, and the group would begin at the beginning."""
    servers, group, partition = broker.bootstrap_servers, "group", TopicPartition("source", 0)
    await create_topics(servers, [partition.topic], 1)
    async with transactional_producer(servers) as producer:
        for offset in range(1, 101):
            await producer.begin_transaction()
            await producer.send_offsets_to_transaction({partition: offset}, group)
            await producer.commit_transaction()
    broker.kill()
    restarting = asyncio.create_task(asyncio.to_thread(broker.restart))
    assert await as_soon_as_there(stable_offset, servers, group, partition) == 100
    await restarting


async def as_soon_as_there(offset_of: OffsetOf, servers: str, group: str, partition: TopicPartition) -> int | None:
    """A client that was there before waits longer and longer for its broker; one that is made anew may be the first."""
    async with asyncio.timeout(BACK_SECONDS):
        while True:
            try:
                return await offset_of(servers, group, partition)
            except KafkaConnectionError:
                await asyncio.sleep(0.005)


Stand = Callable[[Any, list[TopicPartition]], Awaitable[Any]]


async def by_aiokafka(reader: Any, partitions: list[TopicPartition]) -> None:
    """Its own way back to the commits."""
    await reader.seek_to_committed(*partitions)


async def by_us(reader: Any, partitions: list[TopicPartition]) -> None:
    """Ours."""
    for partition, offset in (await starts(reader, partitions)).items():
        reader.seek(partition, offset)


BROKEN = pytest.mark.xfail(reason="aio-libs/aiokafka#1003", raises=AssertionError, strict=True)


@pytest.mark.parametrize("stand", [pytest.param(by_aiokafka, marks=BROKEN), by_us])
async def test_what_was_taken_and_not_committed_is_read_again(kafka: str, stand: Stand) -> None:
    """In partitions without any commit too: at the first rebalance of a new group there are no others."""
    source = fresh("source")
    await create_topics(kafka, [source], 2)
    await produce(kafka, source, ((key, b"event") for key in KEYS[:40]), 2)
    first, second = TopicPartition(source, 0), TopicPartition(source, 1)
    async with consumer(kafka, fresh("group"), first, second) as reader:
        taken = 0
        while taken < 40:
            taken += sum(map(len, (await reader.getmany(timeout_ms=1_000)).values()))
        await reader.commit({first: 1})
        await stand(reader, [first, second])
        assert [await reader.position(partition) for partition in (first, second)] == [1, 0]


async def test_a_log_that_has_lost_its_end_is_not_read_again(kafka: str) -> None:
    """Nor gone on with: what comes next would stand at offsets that count as read."""
    scene = await Scene(kafka).create()
    await scene.load(100)
    place = TopicPartition(scene.options.sources[0], 0)
    async with consumer(kafka, scene.options.app_id, place) as group:
        await group.commit({place: 500})
    async with workers() as start:
        worker = await start(scene.options)
        assert await worker.ended() == 1
        assert "and was read up to 500: the log has lost its end" in worker.log and "Traceback" not in worker.log
        assert worker.handled == 0


async def test_a_position_beyond_the_end_is_an_error(kafka: str) -> None:
    """While running, nobody can tell a log that lost its end from one that was made anew; a start can."""
    place = TopicPartition(fresh("source"), 0)
    await create_topics(kafka, [place.topic], 1)
    await produce(kafka, place.topic, [(b"k", b"v")] * 20, 1)
    async with consumer(kafka, None, place) as reader, asyncio.timeout(SOON_SECONDS * 4):
        reader.seek(place, 500)
        with pytest.raises(OffsetOutOfRangeError):
            while not await reader.getmany(timeout_ms=500):
                pass
        reader.seek(place, 19)
        while not (records := (await reader.getmany(timeout_ms=500)).get(place)):
            pass
        assert [record.offset for record in records] == [19]


async def test_a_topic_that_is_not_there_is_known_at_once(kafka: str) -> None:
    """aiokafka would wait for it to be made."""
    async with consumer(kafka, None) as asking, asyncio.timeout(SOON_SECONDS):
        assert await partitions_of(asking, fresh("none")) == []


async def test_records_are_handed_on_as_parsed_with_all_that_is_in_them(kafka: str) -> None:
    """What aiokafka builds around each costs more than parsing it. Other consumers of the process get theirs as ever."""
    topic = fresh("source")
    await create_topics(kafka, [topic], 1)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for key, value, headers in (
            (b"key", b"value", [("name", b"content")]),
            (None, b"value", []),
            (b"key", None, []),
        ):
            await producer.send_and_wait(topic, value, key, headers=headers)
    whole, parsed = [await _records(kafka, topic, **given) for given in ({}, {"key_deserializer": AS_PARSED})]
    assert [type(record) for record in whole] == [ConsumerRecord] * 3
    assert ConsumerRecord not in map(type, parsed)
    assert [_contents(record) for record in parsed] == [_contents(record) for record in whole]


async def _records(servers: str, topic: str, **given: Any) -> list[Any]:
    reader = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest", **given)
    async with reader, asyncio.timeout(SOON_SECONDS * 2):
        found: list[Any] = []
        while len(found) < 3:
            for records in (await reader.getmany(timeout_ms=500)).values():
                found += records
        return found


def _contents(record: Any) -> tuple[Any, ...]:
    return record.offset, record.timestamp, record.key, record.value, tuple(record.headers)


@pytest.mark.parametrize(
    "fetcher_class",
    [
        pytest.param(
            HeedfulFetcher.__mro__[1],
            marks=pytest.mark.xfail(reason="aio-libs/aiokafka#647", raises=AssertionError, strict=True),
        ),
        HeedfulFetcher,
    ],
)
async def test_a_consumer_stops_while_a_failed_fetch_waits_to_be_tried_again(
    kafka: str, fetcher_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To whoever stops it, the cancellation of that fetch is none of their own."""
    topic = fresh("source")
    await create_topics(kafka, [topic], 1)
    monkeypatch.setattr(consumer_module, "Fetcher", fetcher_class)
    failed = asyncio.Event()

    async def refuse(*_: Any) -> None:
        failed.set()
        raise KafkaConnectionError("it is away")

    reader: Any = AIOKafkaConsumer(bootstrap_servers=kafka, retry_backoff_ms=int(SOON_SECONDS * 10_000))
    await reader.start()
    reader.assign([place := TopicPartition(topic, 0)])
    reader.seek(place, 0)
    reader._client.send = refuse
    async with asyncio.timeout(SOON_SECONDS):
        await failed.wait()
        try:
            await reader.stop()
        except asyncio.CancelledError:
            await reader._client.close()
            raise AssertionError("it was cancelled, not stopped") from None


# -- The group --------------------------------------------------------------------------------------------------------


async def test_a_worker_that_cannot_join_its_group_ends_and_says_why(kafka: str) -> None:
    """aiokafka tells of it at the next fetch only, and who has no partitions fetches nothing."""
    scene = await Scene(kafka).create()
    async with _stranger_in_the_group(scene), workers() as start:
        worker = await start(scene.options)
        assert await worker.ended() == 1
        assert "InconsistentGroupProtocol" in worker.log and "Traceback" not in worker.log


async def test_a_session_that_the_broker_does_not_take_is_one_line(kafka: str) -> None:
    """Most brokers take none below 6 s, and aiokafka says of it a number and a name."""
    scene = await Scene(kafka, settings={"session_timeout_ms": 500, "heartbeat_interval_ms": 100}).create()
    async with workers() as start:
        worker = await start(scene.options)
        assert await worker.ended() == 1
        assert "the broker takes no session time-out of 500 ms; its group.min.session.timeout.ms" in worker.log
        assert "Traceback" not in worker.log


@asynccontextmanager
async def _stranger_in_the_group(scene: Scene) -> AsyncIterator[None]:
    """A member that assigns partitions in another way: the broker lets nobody in who does not know it."""
    stranger = AIOKafkaConsumer(
        scene.options.sources[0],
        bootstrap_servers=scene.servers,
        group_id=scene.options.app_id,
        session_timeout_ms=STRANGERS_SESSION_MS,
    )
    await stranger.start()
    try:
        async with asyncio.timeout(SOON_SECONDS * 2):
            while not stranger.assignment():
                await asyncio.sleep(0.05)
        yield
    finally:
        await stranger.stop()


async def test_a_worker_whose_instance_id_another_one_bears_ends_and_says_so(kafka: str) -> None:
    """Left alone, the two would take the group from each other at each heartbeat, for ever (aio-libs/aiokafka#1188)."""
    scene = await Scene(kafka, settings={"group_instance_id": "twin"}).create()
    async with workers() as start:
        worker = await start(scene.options)
        await worker.until_ready()
        await start(scene.options)
        assert await worker.ended() == 1
        assert "another worker bears the instance id 'twin'" in worker.log and "Traceback" not in worker.log


async def test_a_worker_without_partitions_stays_in_its_group(kafka: str) -> None:
    """Longer than it may go without fetching: it is there to take over when the one that holds them is killed."""
    app_id, source, target = fresh("app"), fresh("source"), fresh("target")
    await create_topics(kafka, [source, target], 1)
    await create_topics(kafka, [f"{app_id}-first-0-changelog"], 1, **{"cleanup.policy": "compact"})
    # A member that is killed is missed after its session, which is longer than anybody may go without fetching.
    patience = {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 200, "max_poll_interval_ms": 5_000}
    options = Options(kafka, app_id, [source], target, settings=patience)
    async with workers() as start:
        pair = [await start(options), await start(options)]
        for worker in pair:
            await worker.until_ready()
        await eventually(lambda: sum(bool(worker.held) for worker in pair) == 1)
        [holding], [spare] = [[each for each in pair if bool(each.held) is holds] for holds in (True, False)]
        assert await holding.end(signal.SIGKILL) != 0
        await produce(kafka, source, [(b"k", b"v")], 1)
        await spare.until_handled(1)


async def test_messages_that_are_removed_unread_are_told_of(kafka: str, caplog: pytest.LogCaptureFixture) -> None:
    """A topic that keeps them for less long than somebody is behind: a loss, with its place."""
    topic = fresh("source")
    await create_topics(kafka, [topic], 1)
    await produce(kafka, topic, [(b"k", b"%d" % n) for n in range(20)], 1)
    place = TopicPartition(topic, 0)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_records({place: RecordsToDelete(15)})
    await admin.close()
    reader = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    async with reader, asyncio.timeout(SOON_SECONDS * 4):
        reader.assign([place])
        reader.seek(place, 3)
        while not (records := (await reader.getmany(timeout_ms=500)).get(place)):
            pass
    assert records[0].offset == 15
    [told] = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    assert told.startswith(f"{topic}[0]: what stood at offset 3 was removed unread")
