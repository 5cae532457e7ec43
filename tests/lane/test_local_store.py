"""Workers whose tables are on disk, on a real broker: exact whatever ends them, and warm when they return."""

import asyncio
import dataclasses
import random
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from streams.lane.changelog import load_tables
from streams.lane.observer import Observer
from streams.lane.settings import LaneSettings
from streams.lane.stores import stores_of
from streams.lane.topic_facts import topic_ids
from tests.lane.broker import create_topics, fresh, produce
from tests.lane.counting_worker import Options
from tests.lane.scene import PARTITIONS, Scene
from tests.lane.workers import Worker, eventually, workers

pytestmark = pytest.mark.kafka

PATIENCE_SECONDS = 30
COMPACTED = {"cleanup.policy": "compact"}


# -- The loader --------------------------------------------------------------------------------------------------------


class Loaded(Observer):
    """How many records were read."""

    records = 0

    def recovery(self, table: str, partition: int, loaded: int, position: int, end: int) -> None:
        self.records = loaded


@pytest.fixture
def settings(kafka: str, tmp_path: Path) -> LaneSettings:
    return LaneSettings(app_id=fresh("app"), bootstrap_servers=kafka, data_folder=str(tmp_path / "data"))


@pytest.fixture
async def admin(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await client.start()
    yield client
    await client.close()


async def returned(settings: LaneSettings) -> tuple[dict[bytes, bytes], int]:
    """A worker comes back to its folder and goes again: the table, and how many records it had to read."""
    store, loaded = stores_of(settings).store("people", 0, None), Loaded()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await load_tables(settings, {("people", 0): store}, loaded)
        return dict(store.items()), loaded.records
    finally:
        store.close()


def values(first: int, number: int, value: bytes = b"v") -> list[tuple[bytes, bytes | None]]:
    return [(b"key-%d" % n, value) for n in range(first, first + number)]


async def test_a_warm_start_reads_only_the_rest(settings: LaneSettings) -> None:
    """And where there is none, nothing."""
    topic = settings.changelog_topic("people")
    await create_topics(settings.bootstrap_servers, [topic], 1, **COMPACTED)
    await produce(settings.bootstrap_servers, topic, values(0, 1_000), 1)
    assert await returned(settings) == (dict(values(0, 1_000)), 1_000)
    await produce(settings.bootstrap_servers, topic, [*values(990, 20, b"new"), (b"key-0", None)], 1)
    table = {**dict(values(0, 1_000)), **dict(values(990, 20, b"new"))}
    del table[b"key-0"]
    assert await returned(settings) == (table, 21)
    assert await returned(settings) == (table, 0)


async def test_a_topic_that_was_made_anew_is_read_from_its_beginning(
    settings: LaneSettings, admin: AIOKafkaAdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    """It has the same name, and more records than the store has seen, but another id."""
    topic = settings.changelog_topic("people")
    await create_topics(settings.bootstrap_servers, [topic], 1, **COMPACTED)
    await produce(settings.bootstrap_servers, topic, values(0, 10), 1)
    await returned(settings)
    await admin.delete_topics([topic])
    await eventually_gone(admin, topic)
    await create_topics(settings.bootstrap_servers, [topic], 1, **COMPACTED)
    await produce(settings.bootstrap_servers, topic, values(100, 50), 1)
    assert await returned(settings) == (dict(values(100, 50)), 50)
    assert caplog.text.count("is wiped and read anew: it belongs to the log") == 1


async def eventually_gone(admin: AIOKafkaAdminClient, topic: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while topic in await admin.list_topics():
            await asyncio.sleep(0.05)


async def test_a_log_whose_beginning_has_passed_the_checkpoint_is_read_whole(
    settings: LaneSettings, admin: AIOKafkaAdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    """What lay between was never seen."""
    topic = settings.changelog_topic("people")
    await create_topics(settings.bootstrap_servers, [topic], 1, **{"cleanup.policy": "compact,delete"})
    await produce(settings.bootstrap_servers, topic, values(0, 10), 1)
    await returned(settings)
    await produce(settings.bootstrap_servers, topic, values(10, 10), 1)
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(15)})
    assert await returned(settings) == (dict(values(15, 5)), 5)
    assert "lies before the beginning of the log, 15" in caplog.text


async def test_a_rest_that_is_older_than_deletions_are_kept_is_not_enough(
    settings: LaneSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """A deletion may have been compacted away in between."""
    topic = settings.changelog_topic("people")
    await create_topics(settings.bootstrap_servers, [topic], 1, **COMPACTED, **{"delete.retention.ms": "1000"})
    await produce(settings.bootstrap_servers, topic, values(0, 10), 1)
    await returned(settings)
    assert await returned(settings) == (dict(values(0, 10)), 0), "at the end of its log it lacks nothing"
    await produce(settings.bootstrap_servers, topic, values(10, 10), 1)
    assert await returned(settings) == (dict(values(0, 20)), 20)
    assert "deletions are only kept for 1" in caplog.text


async def test_the_broker_tells_the_ids_of_topics(settings: LaneSettings, kafka: str) -> None:
    """Each its own; none of one that is missing."""
    names = [fresh("one"), fresh("two")]
    await create_topics(kafka, names, 1)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        ids = await topic_ids(producer.client, [*names, "missing"])
    finally:
        await producer.stop()
    assert ids.keys() == set(names) and len(set(ids.values())) == 2


# -- Workers -----------------------------------------------------------------------------------------------------------


def on_disk(scene: Scene, folder: Path, **options: object) -> Options:
    """The scene's worker with its tables in a folder."""
    settings = {**scene.options.settings, "data_folder": str(folder)}
    return dataclasses.replace(scene.options, settings=settings, **options)  # type: ignore[arg-type]


def records_read(worker: Worker) -> int:
    """How many changelog records it read, at all its assignments together."""
    return sum(map(int, re.findall(r": (\d+) changelog records read", worker.log)))


def warnings(worker: Worker) -> list[str]:
    return [line for line in worker.log.splitlines() if " WARNING " in line and " streams." in line]


async def test_restarts_and_kills_in_mid_load_lose_and_repeat_nothing_on_disk(kafka: str, tmp_path: Path) -> None:
    """A worker that is stopped, or killed at any point, is followed by one that goes on at the last commit; at last warm."""
    scene = await Scene(kafka).create()
    await scene.load(20_000)
    options = on_disk(scene, tmp_path / "data")
    async with workers() as start:
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            worker = await start(options)
            await worker.until_handled(2_000)
            assert await worker.end(number) == (0 if number is signal.SIGTERM else -signal.SIGKILL)
            assert not warnings(worker)
        worker = await start(options)
        await scene.assert_exact()
        await worker.end(signal.SIGTERM)
        worker = await start(options)
        await worker.until_ready()
        assert (records_read(worker), warnings(worker)) == (0, [])
        await scene.load(1_000)
        await scene.assert_exact()


def garble(folder: Path, seed: int) -> None:
    """Write noise into the middle of every file that holds values."""
    source = random.Random(seed)
    for file in folder.rglob("*.sst"):
        with file.open("r+b") as opened:
            opened.seek(source.randrange(file.stat().st_size // 2))
            opened.write(source.randbytes(file.stat().st_size // 4))


def cut_lists(folder: Path, seed: int) -> None:
    """Halve the lists of files."""
    for file in folder.rglob("MANIFEST-*"):
        with file.open("r+b") as opened:
            opened.truncate(file.stat().st_size // 2)


def lose_lists(folder: Path, seed: int) -> None:
    """Nothing says which files there are."""
    for file in folder.rglob("CURRENT"):
        file.unlink()


async def test_a_store_that_is_broken_between_two_lives_is_read_anew(kafka: str, tmp_path: Path) -> None:
    """At once, or at the restart after the one that met it; never in a loop, and nothing is lost."""
    scene = await Scene(kafka).create()
    options = on_disk(scene, tmp_path / "data")
    async with workers() as start:
        for seed, break_it in enumerate((garble, cut_lists, lose_lists)):
            worker = await start(options)
            await scene.load(3_000)
            await scene.assert_exact()
            await worker.end(signal.SIGTERM)
            break_it(tmp_path / "data", seed)
            await scene.load(1_000)
            for _ in range(3):
                worker = await start(options)
                await eventually(lambda w=worker: w.handled >= 1_000 or w.process.returncode is not None)
                if worker.process.returncode is None:
                    break
                assert "it has been removed, to be read anew" in worker.log
            await scene.assert_exact()
            assert await worker.end(signal.SIGTERM) == 0


async def test_a_partition_that_comes_back_is_warm(kafka: str, tmp_path: Path) -> None:
    """Its store waits where it was; who held it meanwhile has another folder, and only what that one did is read."""
    scene = await Scene(kafka).create()
    await scene.load(6_000)
    async with workers() as start:
        first = await start(on_disk(scene, tmp_path / "first"))
        await scene.assert_exact()
        second = await start(on_disk(scene, tmp_path / "second"))
        await eventually(lambda: bool(second.held) and not first.held & second.held)
        await second.until_ready()
        assert records_read(second) > 0, "it has never held them"
        await scene.load(600)
        await scene.assert_exact()
        before = records_read(first)
        assert await second.end(signal.SIGTERM) == 0
        await eventually(lambda: len(first.held) == PARTITIONS and first.lines[-1] != "not ready")
        assert records_read(first) - before <= 600
        await scene.load(600)
        await scene.assert_exact()
        assert not warnings(first) + warnings(second)


async def test_two_workers_never_share_a_folder(kafka: str, tmp_path: Path) -> None:
    """The second ends at once and says whose it is; the first does not notice."""
    scene = await Scene(kafka).create()
    await scene.load(1_000)
    options = on_disk(scene, tmp_path / "data")
    async with workers() as start:
        first = await start(options)
        await first.until_ready()
        second = await start(options)
        assert await second.ended() != 0
        assert f"in use by another worker, process {first.process.pid}" in second.log
        await scene.assert_exact()
        assert await first.end(signal.SIGTERM) == 0


async def test_a_full_disk_ends_the_worker_until_there_is_room_and_loses_nothing(kafka: str, tmp_path: Path) -> None:
    """Each life says which folder has no room; the first with room goes on from checkpoint and changelog."""
    scene = await Scene(kafka, state_bytes=20_000).create()
    options = on_disk(scene, tmp_path / "data", buffer_bytes=65_536)
    cramped = dataclasses.replace(options, file_bytes=200_000)
    async with workers() as start:
        worker = await start(options)
        await scene.load(50)
        await worker.until_handled(50)
        await worker.end(signal.SIGTERM)
        await scene.load(5_000)
        for _ in range(3):
            worker = await start(cramped)
            assert await worker.ended() == 1
            assert f"the local store {tmp_path / 'data'}" in worker.log
            assert "File too large" in worker.log and "make room" in worker.log
            assert worker.lines[-1:] != ["ready"] or worker.handled
        await start(options)
        await scene.assert_exact()
