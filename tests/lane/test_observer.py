"""What an observer is told in the course of a worker's life."""

import asyncio
from collections.abc import Callable, Mapping, Set

import pytest

from streams.lane import BatchAgent, LaneSettings, Observer, changelog_topics, create_app, serve
from streams.lane.observer import BatchDone
from tests.lane.broker import create_topics, fresh, produce
from tests.lane.counting_worker import Options, counter

pytestmark = pytest.mark.kafka

PARTITIONS = 2
RECORDS = 500


class Notes(Observer):
    def __init__(self) -> None:
        self.batches: list[BatchDone] = []
        self.lags: list[Mapping[tuple[str, int], int]] = []
        self.assignments: list[Set[tuple[str, int]]] = []
        self.recoveries: list[tuple[str, int, int, int, int]] = []
        self.readiness: list[bool] = []
        self.noted = asyncio.Event()

    def batch_done(self, done: BatchDone) -> None:
        self.batches.append(done)
        self.noted.set()

    def lag(self, records: Mapping[tuple[str, int], int]) -> None:
        self.lags.append(records)
        self.noted.set()

    def assigned(self, partitions: Set[tuple[str, int]]) -> None:
        self.assignments.append(partitions)

    def recovery(self, table: str, partition: int, loaded: int, position: int, end: int) -> None:
        self.recoveries.append((table, partition, loaded, position, end))

    def ready(self, ready: bool) -> None:
        self.readiness.append(ready)
        self.noted.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.noted.clear()
                await self.noted.wait()


async def test_an_observer_follows_a_worker_through_its_life(kafka: str) -> None:
    """Metrics, health and logs need nothing else: assignment, recovery, readiness, batches and lags."""
    source, target = fresh("source"), fresh("target")
    options = Options(servers=kafka, app_id=fresh("app"), sources=[source], target=target)
    agent = BatchAgent("first", (source,), counter(options, target), {source: "seen"})
    settings = LaneSettings(app_id=options.app_id, bootstrap_servers=kafka)
    await create_topics(kafka, [source, target, *changelog_topics(settings, [agent])], PARTITIONS)
    held = {(source, 0), (source, 1)}

    async def life(records: int) -> Notes:
        notes, stop = Notes(), asyncio.Event()
        app = create_app(settings, [agent], notes)
        serving = asyncio.create_task(serve(app, stop=stop, rare_collector=False))
        await notes.until(lambda: notes.readiness[-1:] == [True])
        await produce(kafka, source, ((b"%d" % n, b"event") for n in range(records)), PARTITIONS)
        await notes.until(lambda: sum(done.records for done in notes.batches) == records)
        await notes.until(lambda: bool(notes.lags) and notes.lags[-1] == dict.fromkeys(held, 0))
        stop.set()
        assert await serving == 0
        assert notes.readiness[-1] is False
        assert notes.assignments[-1] == held
        return notes

    first = await life(RECORDS)
    assert {(note[0], note[1]) for note in first.recoveries} == {("seen", 0), ("seen", 1)}
    assert sum(done.outputs[target] for done in first.batches) == RECORDS
    assert sum(done.table_writes for done in first.batches) == RECORDS
    assert all(done.oldest_timestamp_ms <= done.newest_timestamp_ms for done in first.batches)
    assert all(done.commit_seconds > 0 for done in first.batches)

    second = await life(0)
    ends = {
        (table, partition): loaded for table, partition, loaded, position, end in second.recoveries if position == end
    }
    assert sum(ends.values()) == RECORDS
