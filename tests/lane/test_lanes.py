"""How partitions change hands, against a fake of the producer, the loader and the seek."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from streams.lane import Batch, BatchAgent, BatchResult, LaneSettings, Observer
from streams.lane.lanes import Chunk, Lanes, SupersededError
from streams.lane.stores import Store

A, B = ("events", 0), ("events", 1)


class World:
    """Writes down what the lanes do to the world outside, and lets a test hold up a step."""

    def __init__(self, *, ready: Any = None) -> None:
        self.steps: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.reached: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.handled: list[int] = []
        self.sought: Mapping[tuple[str, int], int] = {}
        self.fails = False

        def handle(batch: Batch) -> BatchResult:
            self.handled.extend(record.offset for record in batch.records)
            return BatchResult(writes={b"last": b"%d" % self.handled[-1]})

        agent = BatchAgent("agent", ("events",), handle, {"events": "table"}, ready)
        settings = LaneSettings(app_id="app", bootstrap_servers="nowhere:9092")
        self.lanes = Lanes(settings, [agent], Observer(), transactor=self.transactor, load=self.load)

    async def step(self, name: str) -> None:
        self.steps.append(name)
        self.reached[name].set()
        if name in self.gates:
            await self.gates[name].wait()

    def transactor(self, settings: LaneSettings, partitioner: Any, agent: str, topic: str, partition: int) -> Any:
        world = self

        class Producer:
            async def fence(self) -> None:
                await world.step(f"fence {partition}")

            async def commit(self, outputs: Any, changelog: Any, writes: Any, offset: int) -> int | None:
                await world.step(f"commit {partition} at {offset}")
                if world.fails:
                    raise OSError("no answer")
                return None

            async def close(self) -> None:
                await world.step(f"close {partition}")

        return Producer()

    async def load(self, settings: LaneSettings, stores: Mapping[tuple[str, int], Store], observer: Observer) -> None:
        for name, store in sorted(stores.items()):
            await self.step(f"load {name[1]}")
            store.keep({b"loaded": b"yes"}, 0, None, 0.0)

    def held(self) -> dict[int, dict[bytes, bytes]]:
        """The table as it is held, by partition."""
        return {partition: dict(store.items()) for partition, store in self.lanes.table("table").items()}

    async def seek(self, positions: Mapping[tuple[str, int], int | None], epoch: int) -> Mapping[tuple[str, int], int]:
        """A broker that knows of no commit at all."""
        await self.step(f"seek {sorted(number for _, number in positions)}")
        self.sought = {partition: offset or 0 for partition, offset in positions.items()}
        return self.sought

    async def assume(self, *partitions: tuple[str, int], generation: int) -> list[str]:
        """The steps it took."""
        self.steps.clear()
        await self.lanes.assume(partitions, generation, self.seek)
        return self.steps

    async def offer(self, partition: tuple[str, int], *offsets: int, epoch: int | None = None) -> None:
        records = [Rec(offset) for offset in offsets]
        self.lanes.accept(Chunk(self.lanes.epoch if epoch is None else epoch, *partition, records, len(records)))
        for _ in range(20):
            await asyncio.sleep(0)


class Rec:
    topic, partition, key, value, headers, timestamp = "events", 0, b"k", b"v", (), 0

    def __init__(self, offset: int) -> None:
        self.offset = offset


async def test_partitions_are_fenced_then_loaded_then_sought() -> None:
    """Loaded before the fence, a table could miss what the former owner still commits; and so could a position."""
    world = World()
    assert await world.assume(A, generation=1) == ["fence 0", "load 0", "seek [0]"]
    await world.lanes.close()


async def test_a_partition_held_through_consecutive_generations_keeps_its_producer_and_table() -> None:
    """Nobody had it in between, so there is nothing to load again."""
    world = World()
    await world.assume(A, generation=1)
    await world.offer(A, 5)
    await world.lanes.halt()
    assert await world.assume(A, B, generation=2) == ["fence 1", "load 1", "seek [0, 1]"]
    assert world.held()[0] == {b"loaded": b"yes", b"last": b"5"}
    await world.lanes.close()


async def test_a_partition_that_is_kept_goes_on_after_its_own_commit() -> None:
    """A broker answers a commit before the offset counts: asked in between, it would have us handle records twice."""
    world = World()
    await world.assume(A, generation=1)
    assert world.sought == {A: 0}
    await world.offer(A, 5, 6)
    await world.lanes.halt()
    await world.assume(A, B, generation=2)
    assert world.sought == {A: 7, B: 0}
    await world.lanes.halt()
    await world.assume(A, B, generation=4)
    assert world.sought == {A: 0, B: 0}, "somebody else may have gone on with them: the broker is asked"
    await world.lanes.close()


async def test_a_partition_whose_commit_failed_is_not_kept() -> None:
    """The commit may hold all the same; table and position would be behind it."""
    world = World()
    await world.assume(A, generation=1)
    world.fails = True
    await world.offer(A, 5)
    assert isinstance(world.lanes.failure, OSError)
    world.fails = False
    assert await world.assume(A, generation=2) == ["close 0", "fence 0", "load 0", "seek [0]"]
    assert world.sought == {A: 0}
    await world.lanes.close()


async def test_a_partition_is_loaded_again_after_a_generation_that_was_missed() -> None:
    """Somebody else may have had it."""
    world = World()
    await world.assume(A, generation=1)
    await world.offer(A, 5)
    await world.lanes.halt()
    assert await world.assume(A, generation=3) == ["close 0", "fence 0", "load 0", "seek [0]"]
    assert world.held()[0] == {b"loaded": b"yes"}
    await world.lanes.close()


async def test_a_lost_partition_is_closed_and_its_table_forgotten() -> None:
    """Its new owner fences it anyway."""
    world = World()
    await world.assume(A, B, generation=1)
    await world.lanes.halt()
    assert await world.assume(B, generation=2) == ["close 0", "seek [1]"]
    assert world.held().keys() == {1}
    await world.lanes.close()


async def test_records_fetched_before_the_last_seek_are_dropped() -> None:
    """The seek has put them before us again."""
    world = World()
    await world.assume(A, generation=1)
    stale = world.lanes.epoch
    await world.lanes.halt()
    await world.assume(A, generation=2)
    await world.offer(A, 7, epoch=stale)
    await world.offer(A, 5)
    await world.offer(B, 9)  # not held
    assert world.handled == [5]
    await world.lanes.close()


@pytest.mark.parametrize("step", ["fence 0", "load 0", "seek [0]"])
async def test_an_assume_that_is_overtaken_by_a_revocation_starts_nothing(step: str) -> None:
    """What it would start might belong to somebody else by now; and a lane must never run twice."""
    world = World()
    gate = world.gates[step] = asyncio.Event()
    assuming = asyncio.create_task(world.assume(A, generation=1))
    await world.reached[step].wait()
    await world.lanes.halt()
    gate.set()
    with pytest.raises(SupersededError):
        await assuming
    await world.offer(A, 5)
    assert world.handled == []
    await world.assume(A, generation=2)
    await world.offer(A, 5, 6)
    assert world.handled == [5, 6]
    await world.lanes.close()


async def test_a_cancelled_assume_closes_the_producers_it_had_begun() -> None:
    """They are nobody's: the next assignment begins afresh."""
    world = World()
    world.gates["load 0"] = asyncio.Event()
    assuming = asyncio.create_task(world.assume(A, generation=1))
    await world.reached["load 0"].wait()
    assuming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await assuming
    assert world.steps[-1] == "close 0"
    assert list(world.lanes.held) == []


async def test_an_assume_that_keeps_its_cancellation_to_itself_is_waited_for() -> None:
    """aiokafka does so while a client stops: two at once would open one store twice, and fence one another."""
    world = World()
    stopping = asyncio.Event()

    async def load(settings: LaneSettings, stores: Mapping[tuple[str, int], Store], observer: Observer) -> None:
        if stores:
            await world.step("load")
        try:
            await stopping.wait()
        except asyncio.CancelledError:
            await stopping.wait()

    world.lanes._load_tables = load
    first = asyncio.create_task(world.lanes.assume([A], 1, world.seek))
    await world.reached["load"].wait()
    await world.lanes.halt()
    first.cancel()
    second = asyncio.create_task(world.lanes.assume([A], 2, world.seek))
    for _ in range(20):
        await asyncio.sleep(0)
    meanwhile = list(world.steps)
    stopping.set()
    with pytest.raises(SupersededError):
        await first
    await second
    await world.lanes.close()
    assert meanwhile == ["fence 0", "load"]
    assert world.steps == ["fence 0", "load", "seek [0]", "close 0"]


async def test_agents_are_awaited_once_before_the_first_batch() -> None:
    """A worker reads what its agents need before it is ready."""
    asked = 0

    async def ready() -> None:
        nonlocal asked
        asked += 1

    world = World(ready=ready)
    await world.assume(A, generation=1)
    await world.assume(A, generation=2)
    assert asked == 1
    await world.lanes.close()


async def test_the_first_lane_that_cannot_go_on_is_the_failure_of_all() -> None:
    """Whoever runs the app ends it then."""
    world = World()
    await world.assume(A, generation=1)

    async def refuse(name: str) -> None:
        raise RuntimeError("fenced")

    world.step = refuse  # type: ignore[method-assign]
    await world.offer(A, 5)
    assert world.lanes.failed.is_set()
    assert str(world.lanes.failure) == "fenced"
