"""The parts of the lane that need no broker."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka

from streams.lane import (
    Batch,
    BatchAgent,
    BatchResult,
    LaneError,
    LaneSettings,
    Observer,
    Output,
    create_app,
    positions,
)
from streams.lane.changelog import Loading
from streams.lane.lane import Lane
from streams.lane.lanes import SupersededError
from streams.lane.partitions import Partitioner, murmur2
from streams.lane.recovery import LaneRecovery
from streams.lane.stores import MemoryStore
from streams.lane.transaction import record_bytes
from streams.lane.transport import LaneConsumerThread
from streams.lane.versions import OVERRIDE, TESTED, refuse_untested_versions

SETTINGS = LaneSettings(app_id="app", bootstrap_servers="nowhere:9092", batch_records=3, batch_bytes=100)
PLACE = TopicPartition("topic", 0)


def nothing(batch: Batch) -> BatchResult:
    return BatchResult()


# -- Partitions -------------------------------------------------------------------------------------------------------


def test_keys_hash_as_in_aiokafka() -> None:
    """A key goes to the partition where every other client would look for it."""
    source = random.Random(7)
    for length in [*range(40), 100, 1_000]:
        key = source.randbytes(length)
        assert murmur2(key) == murmur2_of_aiokafka(key) & 0xFFFFFFFF, key


async def test_a_record_without_a_key_goes_to_the_first_partition() -> None:
    """Nothing has to stay in order with it."""
    partitioner = Partitioner()

    async def partitions_for(topic: str) -> set[int]:
        return {0, 1, 2}

    await partitioner.learn(["topic"], partitions_for)
    assert partitioner.partition("topic", None) == 0
    assert partitioner.partition("topic", b"key") == (murmur2_of_aiokafka(b"key") & 0x7FFFFFFF) % 3


def test_record_bytes_is_an_upper_bound_of_what_kafka_stores() -> None:
    """Whoever stays within the limit by this measure is never stopped by the lane's own."""
    from aiokafka.record.default_records import DefaultRecordBatchBuilder

    for output in (
        Output("t", None, b"value"),
        Output("t", b"k" * 300, b"v" * 70_000, (("content-type", b"application/json"), ("ключ", b"x" * 200))),
        Output("t", b"k", None),
    ):
        builder = DefaultRecordBatchBuilder(2, 0, 1, -1, -1, -1, 1_000_000)
        stored = builder.append(0, 1_700_000_000_000, output.key, output.value, list(output.headers))
        assert stored.size <= record_bytes(output)


# -- Agents and settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agents", "complaint"),
    [
        (
            [BatchAgent("one", ("a",), nothing), BatchAgent("two", ("a",), nothing)],
            "source topic used more than once: a",
        ),
        (
            [BatchAgent("one", ("a",), nothing), BatchAgent("one", ("b",), nothing)],
            "agent name used more than once: one",
        ),
        ([BatchAgent("one", ("a", "b"), nothing, {"a": "t", "b": "t"})], "table used more than once: t"),
    ],
)
def test_two_owners_of_one_thing_are_refused(agents: list[BatchAgent], complaint: str) -> None:
    """They would fence, or overwrite, each other."""
    with pytest.raises(LaneError, match=complaint):
        create_app(SETTINGS, agents)


def test_a_table_for_a_topic_that_is_not_read_is_refused() -> None:
    """It would never be written."""
    with pytest.raises(LaneError, match="tables for topics that it does not read"):
        BatchAgent("one", ("a",), nothing, {"b": "t"})


def test_the_app_is_a_faust_app_with_these_agents_and_tables() -> None:
    """Faust's own tools see them, and its names for changelogs are the ones we create."""
    app = create_app(SETTINGS, [BatchAgent("one", ("a", "b"), nothing, {"a": "seen"})])
    assert sorted(app.agents) == ["one.a", "one.b"]
    assert app.tables["seen"].changelog_topic.get_topic_name() == SETTINGS.changelog_topic("seen")
    with pytest.raises(TypeError, match="return writes from the agent"):
        app.tables["seen"].data[b"key"] = b"value"


async def test_changelogs_stay_out_of_what_the_group_reads() -> None:
    """Faust has the group's consumer read them for its recovery, and waits for offsets that hold no record."""
    app = create_app(SETTINGS, [BatchAgent("one", ("a", "b"), nothing, {"a": "seen"})])
    read = set(app.topics)
    await app.tables.on_start()
    assert set(app.topics) == read
    assert app.tables._tables_registered.is_set(), "or the conductor waits for them"
    await app.tables.recovery.stop()


def test_untested_versions_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the crash tests are to be run on them."""
    monkeypatch.setattr("streams.lane.versions.version", lambda name: "9.9" if name == "aiokafka" else TESTED[name])
    with pytest.raises(LaneError, match=r"^untested versions: aiokafka 9\.9 \(tested: 0\.14\.0\)"):
        refuse_untested_versions({})
    refuse_untested_versions({OVERRIDE: "1"})


# -- Loading ----------------------------------------------------------------------------------------------------------


async def test_loading_goes_on_through_silence_and_ends_at_the_position_not_at_a_record() -> None:
    """A slow broker is not the end; and at the end there may be only markers, which no poll returns."""
    polls = iter([{}, [record(0), record(1)], {}, []])

    class Consumer:
        at = 0

        def assign(self, tps: Any) -> None:
            self.tp = tps[0]

        async def beginning_offsets(self, tps: Any) -> dict[Any, int]:
            return {self.tp: 0}

        async def end_offsets(self, tps: Any) -> dict[Any, int]:
            return {self.tp: 4}

        def seek(self, tp: Any, offset: int) -> None:
            self.at = offset

        async def position(self, tp: Any) -> int:
            return self.at

        async def getmany(self, *tps: Any, timeout_ms: int) -> dict[Any, list[Any]]:
            records = next(polls)
            if records == {}:
                return {}
            self.at = 2 if records else 4  # behind the records; behind the markers
            return {self.tp: records} if records else {}

    store = MemoryStore()
    await Loading(SETTINGS, {("table", 0): store}, Observer(), Consumer()).run()
    assert store.values == {b"k": b"v"}
    assert next(polls, None) is None


async def test_partitions_that_went_elsewhere_while_their_offsets_were_asked_for_are_not_sought() -> None:
    """The question waits behind the request to join again; the next assignment is on its way, and this worker goes on."""

    class Consumer:
        def assignment(self) -> set[TopicPartition]:
            return {TopicPartition("topic", 1)}

        def seek(self, partition: TopicPartition, offset: int) -> None:
            raise AssertionError(f"{partition} is not assigned")

    thread: Any = SimpleNamespace(_ensure_consumer=Consumer, _epoch=1)
    with pytest.raises(SupersededError):
        await LaneConsumerThread._in_thread_seek(thread, {("topic", 0): 7, ("topic", 1): 8}, epoch=2)
    assert thread._epoch == 1


class StaleBroker:
    """One that was cut off: it tells the end that it had, until somebody asks who leads the partition now."""

    _group_id = "group"
    end = 3

    def __init__(self) -> None:
        self._client = self

    async def force_metadata_update(self) -> None:
        self.end = 7

    async def end_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        return {PLACE: self.end}

    async def beginning_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        return {PLACE: 0}


@pytest.mark.parametrize("patience, found", [(60.0, {PLACE: 5}), (0.0, None)])
async def test_a_log_has_lost_its_end_only_where_that_is_said_again_and_again(
    patience: float, found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that was cut off tells the end that it had, until somebody asks who leads the partition now."""

    async def committed(*asked: Any) -> dict[TopicPartition, int]:
        return {PLACE: 5}

    monkeypatch.setattr(positions, "stable_offsets", committed)
    monkeypatch.setattr(positions, "STALE_SECONDS", patience, raising=False)
    if found is None:
        with pytest.raises(LaneError, match="ends at offset 3, and was read up to 5"):
            await positions.starts(StaleBroker(), [PLACE])
    else:
        assert await positions.starts(StaleBroker(), [PLACE]) == found


async def test_the_end_is_asked_for_again_however_long_the_commit_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """When brokers go away, the group's coordinator and the partition's leader change together."""
    clock = [100.0]

    async def committed(*asked: Any) -> dict[TopicPartition, int]:
        clock[0] += 2 * positions.STALE_SECONDS
        return {PLACE: 5}

    monkeypatch.setattr(positions, "stable_offsets", committed)
    monkeypatch.setattr(positions, "monotonic", lambda: clock[0])
    assert await positions.starts(StaleBroker(), [PLACE]) == {PLACE: 5}


async def test_what_is_said_of_a_lost_end_passes_over_nothing_that_came_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """Producers go on while nobody reads: at the latest offset, all that would be skipped; and other partitions lost nothing."""

    async def committed(*asked: Any) -> dict[TopicPartition, int]:
        return {PLACE: 9}

    monkeypatch.setattr(positions, "stable_offsets", committed)
    monkeypatch.setattr(positions, "STALE_SECONDS", 0.0)
    with pytest.raises(LaneError) as told:
        await positions.starts(StaleBroker(), [PLACE])
    command = str(told.value).split("`")[1]
    assert f"--group group --topic {PLACE.topic}:{PLACE.partition} --reset-offsets" in command
    assert "--execute" in command and "--to-datetime" in command and "--to-latest" not in command


async def test_nobody_is_told_ready_once_the_next_rebalance_has_begun() -> None:
    """Between the end of one and that word, others run."""
    observer, told = Observer(), []
    observer.ready = told.append  # type: ignore[method-assign]
    lanes: Any = SimpleNamespace(epoch=1)

    async def rebalances() -> None:
        lanes.epoch += 1

    app: Any = SimpleNamespace(
        lanes=lanes,
        lane_observer=observer,
        on_rebalance_complete=SimpleNamespace(send=rebalances),
        on_rebalance_end=lambda: None,
    )
    tables: Any = SimpleNamespace(on_actives_ready=lambda: None, on_standbys_ready=lambda: None)
    recovery: Any = SimpleNamespace(app=app, completed=asyncio.Event(), tables=tables)
    await LaneRecovery._announce(recovery, 1)
    assert told == []
    await LaneRecovery._announce(recovery, 3)
    assert told == [True]


# -- One lane ---------------------------------------------------------------------------------------------------------


class Broker:
    """A transactor that commits when it is let, or fails."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.begun = asyncio.Event()
        self.failure: Exception | None = None
        self.commits: list[tuple[list[bytes | None], dict[bytes, bytes | None], int]] = []

    async def commit(
        self, outputs: Sequence[Output], changelog: str | None, writes: Mapping[bytes, bytes | None], offset: int
    ) -> int | None:
        self.begun.set()
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        self.commits.append(([output.value for output in outputs], dict(writes), offset))
        return None


def values(lane: Lane) -> dict[bytes, bytes]:
    """What the lane's part of its table holds."""
    return dict(lane.store.items())


def record(offset: int, value: bytes = b"v", headers: Sequence[tuple[str, bytes]] = ()) -> Any:
    return SimpleNamespace(offset=offset, key=b"k", value=value, timestamp=offset, headers=headers)


def accepted(lane: Lane, records: list[Any]) -> None:
    """Have it take records, with their size as a fetch tells it."""
    lane.accept(records, sum(len(each.key) + len(each.value) for each in records))


def echo(batch: Batch) -> BatchResult:
    values = [r.value for r in batch.records]
    return BatchResult([Output("out", b"k", value) for value in values], {b"last": values[-1]})


class Bench:
    """A lane on its own."""

    def __init__(self, handle: Any = echo, settings: LaneSettings = SETTINGS) -> None:
        self.broker = Broker()
        self.failures: list[BaseException] = []
        agent = BatchAgent("agent", ("topic",), handle, {"topic": "table"})
        transactor: Any = self.broker
        self.lane = Lane(
            agent,
            "topic",
            0,
            settings=settings,
            observer=Observer(),
            transactor=transactor,
            on_room=lambda: None,
        )

    def start(self) -> Lane:
        self.lane.start(lambda lane, reason: self.failures.append(reason))
        return self.lane


async def turns() -> None:
    """Let everything that can run without the world outside run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def halted_in_a_commit(bench: Bench) -> None:
    """Halt the lane while the broker has not answered its commit yet: it waits for that."""
    async with asyncio.timeout(10):
        await bench.broker.begun.wait()
    halting = asyncio.create_task(bench.lane.halt())
    await turns()
    assert not halting.done()
    bench.broker.open.set()
    await halting


async def test_what_waits_is_cut_into_batches_by_records_and_bytes() -> None:
    """Chunks that wait are merged; a record larger than a batch goes alone."""
    bench = Bench()
    accepted(bench.lane, [record(0), record(1)])
    accepted(bench.lane, [record(2), record(3)])
    accepted(bench.lane, [record(4, b"x" * 200), record(5)])
    bench.start()
    await turns()
    assert [offset for _, _, offset in bench.broker.commits] == [3, 4, 5, 6]
    assert bench.lane.waiting_records == 0
    await bench.lane.halt()


async def test_the_table_changes_only_after_the_commit() -> None:
    """Until then a restart would take the change back."""
    bench = Bench()
    bench.broker.open.clear()
    lane = bench.start()
    accepted(lane, [record(0, b"new")])
    await bench.broker.begun.wait()
    await turns()
    assert values(lane) == {}
    bench.broker.open.set()
    await turns()
    assert values(lane) == {b"last": b"new"}
    await lane.halt()


async def test_a_failed_commit_changes_nothing_and_ends_the_lane() -> None:
    """The process goes down with it: what the broker made of the batch is not known here."""
    bench = Bench()
    bench.broker.failure = RuntimeError("fenced")
    lane = bench.start()
    accepted(lane, [record(0)])
    accepted(lane, [record(1)])
    await turns()
    assert values(lane) == {}
    assert [str(reason) for reason in bench.failures] == ["fenced"]
    assert bench.broker.commits == []


async def test_halting_finishes_a_begun_transaction_and_drops_what_waits() -> None:
    """The rest is read again, here or elsewhere, from the commit."""
    bench = Bench()
    bench.broker.open.clear()
    lane = bench.start()
    accepted(lane, [record(n) for n in range(6)])
    await halted_in_a_commit(bench)
    assert [offset for _, _, offset in bench.broker.commits] == [3]
    assert values(lane) == {b"last": b"v"}
    assert lane.waiting_records == 0


async def test_a_lane_that_starts_again_has_forgotten_what_waited() -> None:
    """It is fetched again from the commit; kept, it would be handled twice."""
    bench = Bench()
    bench.broker.open.clear()
    lane = bench.start()
    accepted(lane, [record(n) for n in range(6)])
    await bench.broker.begun.wait()
    bench.broker.open.set()
    await lane.halt()
    bench.start()
    accepted(lane, [record(n) for n in range(3, 6)])
    await turns()
    assert [offset for _, _, offset in bench.broker.commits] == [3, 6]
    await lane.halt()


async def test_halting_cancels_a_handle_that_waits() -> None:
    """A wait for something of the world outside must not hold up a rebalance; nothing of its batch was sent."""
    never = asyncio.Event()

    async def wait(batch: Batch) -> BatchResult:
        await never.wait()
        return BatchResult()

    bench = Bench(wait)
    lane = bench.start()
    accepted(lane, [record(0)])
    await turns()
    await lane.halt()
    assert bench.broker.commits == []
    assert bench.failures == []


async def test_a_handle_may_be_awaited() -> None:
    """Its batch is handled like any other when it returns."""

    async def handle(batch: Batch) -> BatchResult:
        await asyncio.sleep(0)
        return echo(batch)

    bench = Bench(handle)
    lane = bench.start()
    accepted(lane, [record(0, b"new")])
    await turns()
    assert values(lane) == {b"last": b"new"}
    await lane.halt()


async def test_a_lane_without_work_says_now_and_then_that_it_is_there() -> None:
    """A broker forgets a transactional id of which it hears nothing for days. What comes afterwards is handled as ever."""
    bench = Bench(settings=replace(SETTINGS, idle_commit_seconds=0.001))
    bench.lane.position = 7
    lane = bench.start()
    async with asyncio.timeout(10):
        while len(bench.broker.commits) < 2:
            await asyncio.sleep(0.001)
    assert bench.broker.commits[:2] == [([], {}, 7)] * 2
    accepted(lane, [record(7, b"new")])
    async with asyncio.timeout(10):
        while values(lane) != {b"last": b"new"}:
            await asyncio.sleep(0.001)
    await lane.halt()
    assert bench.failures == []


async def test_a_lane_without_work_says_so_however_often_it_is_halted() -> None:
    """The broker counts from the last commit, and not from the last rebalance."""
    bench = Bench(settings=replace(SETTINGS, idle_commit_seconds=0.5))
    bench.lane.position = 7
    async with asyncio.timeout(10):
        while not bench.broker.commits:
            bench.start()
            await asyncio.sleep(0.02)
            await bench.lane.halt()


async def test_halting_waits_for_a_commit_of_nothing_new_too() -> None:
    """It holds the position, which the next owner must not find moving."""
    bench = Bench(settings=replace(SETTINGS, idle_commit_seconds=0.001))
    bench.lane.position = 7
    bench.broker.open.clear()
    bench.start()
    await halted_in_a_commit(bench)
    assert bench.broker.commits == [([], {}, 7)]


async def test_headers_are_bytes_too() -> None:
    """A lane is full of them as of anything else, and a batch is cut by them."""
    bench = Bench()
    large = [record(n, headers=[("name", b"x" * 150)]) for n in range(3)]
    bench.lane.accept(large, 3 * 160)
    assert bench.lane.full
    bench.start()
    await turns()
    assert [offset for _, _, offset in bench.broker.commits] == [1, 2, 3]
    await bench.lane.halt()


async def test_a_lane_with_two_batches_waiting_is_full() -> None:
    """It is not fetched from until it has handled one."""
    bench = Bench()
    accepted(bench.lane, [record(n) for n in range(6)])
    assert bench.lane.full
    bench.start()
    await turns()
    assert not bench.lane.full
    await bench.lane.halt()
