"""What one worker does with odd records, odd topics and errors, and how it stops."""

import dataclasses
import signal
import time

import pytest
from aiokafka import AIOKafkaProducer

from tests.lane.broker import counts_by_key, produce, read_committed
from tests.lane.scene import KEYS, PARTITIONS, Scene
from tests.lane.workers import workers

pytestmark = pytest.mark.kafka

STOP_SECONDS = 2.0  # about 0.1 on a machine with nothing else to do
LARGE_BYTES = 3_000_000


async def test_sigterm_under_load_ends_quickly_with_status_0(kafka: str) -> None:
    """What a rolling restart waits for is the batch in hand and nothing else."""
    scene = await Scene(kafka).create()
    await scene.load(20_000)
    async with workers() as start:
        worker = await start(scene.options)
        await worker.until_handled(1_000)
        began = time.monotonic()
        assert await worker.end(signal.SIGTERM) == 0
        assert time.monotonic() - began < STOP_SECONDS


async def test_sigterm_when_idle_ends_quickly_with_status_0(kafka: str) -> None:
    """Nothing polls so long that a stop would have to wait for it."""
    scene = await Scene(kafka).create()
    async with workers() as start:
        worker = await start(scene.options)
        await worker.until_ready()
        began = time.monotonic()
        assert await worker.end(signal.SIGTERM) == 0
        assert time.monotonic() - began < STOP_SECONDS


async def test_an_exception_of_handle_ends_the_process_and_the_batch_is_redone(kafka: str) -> None:
    """An event is never skipped: the next process meets it again, and goes on when it can be handled."""
    scene = await Scene(kafka, fail_on_value="poison").create()
    topic, key = scene.options.sources[0], KEYS[0]
    await scene.load(1_000)
    await produce(kafka, topic, [(key, b"poison")], PARTITIONS)
    scene.produced[topic, key] += 1
    async with workers() as start:
        for _ in range(2):
            worker = await start(scene.options)
            assert await worker.ended() == 1
            assert f"first on {topic}" in worker.log
            assert "told to fail" in worker.log
        await start(dataclasses.replace(scene.options, fail_on_value=None))
        await scene.assert_exact()


async def test_a_group_without_commits_says_that_it_reads_everything(kafka: str) -> None:
    """At its first start, and after it was away for longer than a broker keeps commits: else nobody would know why."""
    scene = await Scene(kafka).create()
    await scene.load(1_000)
    places = [f"{scene.options.sources[0]}[{number}]" for number in range(PARTITIONS)]
    async with workers() as start:
        for is_new in (True, False):
            worker = await start(scene.options)
            await (worker.until_handled(1_000) if is_new else worker.until_ready())
            assert await worker.end(signal.SIGTERM) == 0
            told = [line for line in worker.log.splitlines() if "has no commit for" in line]
            assert [all(place in line for place in places) for line in told] == [True] * is_new


async def test_a_source_with_gaps_is_followed(kafka: str) -> None:
    """Aborted transactions and markers leave offsets without a record; what is committed between them all counts."""
    scene = await Scene(kafka).create()
    topic = scene.options.sources[0]
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{topic}-producer")
    await producer.start()

    async def round_of(keys: list[bytes], *, commit: bool) -> None:
        await producer.begin_transaction()
        for key in keys:
            await producer.send(topic, b"event", key=key)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
        if commit:
            scene.produced.update((topic, key) for key in keys)

    try:
        async with workers() as start:
            for _ in range(2):  # the second process starts at a commit amid gaps, and at the end meets only markers
                worker = await start(scene.options)
                for n in range(12):
                    await round_of(KEYS[n : n + 40], commit=n % 3 != 0)
                await round_of(KEYS, commit=False)
                await read_committed(kafka, scene.options.target, scene.produced.total())
                assert await worker.end(signal.SIGTERM) == 0
            await start(scene.options)
            await scene.load(100)
            await scene.assert_exact()
    finally:
        await producer.stop()


async def test_large_records_go_in_and_out(kafka: str) -> None:
    """A record larger than any batch or fetch limit goes alone."""
    settings = {"max_record_bytes": LARGE_BYTES + 1_000}
    scene = await Scene(kafka, settings=settings, output_bytes=LARGE_BYTES).create(**{"max.message.bytes": "8000000"})
    topic = scene.options.sources[0]
    await produce(kafka, topic, [(key, b"x" * LARGE_BYTES) for key in KEYS[:6]], PARTITIONS)
    async with workers() as start:
        worker = await start(scene.options)
        records = await read_committed(kafka, scene.options.target, 6)
        assert {len(record.value) for record in records} == {LARGE_BYTES}
        assert counts_by_key(records) == {key: [1] for key in KEYS[:6]}
        assert await worker.end(signal.SIGTERM) == 0


async def test_an_output_above_the_limit_ends_the_process_before_anything_of_its_batch_is_sent(kafka: str) -> None:
    """The caller measures outputs; should one slip through, the log names the topic and the size."""
    scene = await Scene(kafka, output_bytes=LARGE_BYTES).create()
    await scene.load(1)
    async with workers() as start:
        worker = await start(scene.options)
        assert await worker.ended() == 1
        assert f"bytes for {scene.options.target} is above the limit of 1000000" in worker.log
        assert await read_committed(kafka, scene.options.target) == []
