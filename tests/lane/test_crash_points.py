"""A crash at each await of the lane's real order, one after the other: what is committed is exact wherever it strikes.

The lane, its transactor and its store are the real ones; only the producer under them is a fake that keeps a log in memory,
and dies at the await it is told to, once before and once after that await has had its effect; the store's own step is struck
likewise. Whoever takes over fences (what was open is gone), brings the store to what was committed and goes on at the
committed offset, as `Lanes.assume` does. A local store is found as the crash left it: with the last batches or without.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

from streams.lane import Batch, BatchAgent, BatchResult, LaneSettings, Observer, Output
from streams.lane.lane import Lane
from streams.lane.partitions import Partitioner
from streams.lane.stores import MemoryStore, Store
from streams.lane.transaction import Transactor
from tests.lane.local_stores import Changelog, killed, rocks, taken_over

RECORDS = 7
SETTINGS = LaneSettings(app_id="app", bootstrap_servers="nowhere:9092", batch_records=3)
AGENT = BatchAgent("count", ("events",), lambda batch: count(batch), {"events": "seen"})
SEEN = SETTINGS.changelog_topic("seen")


class CrashError(Exception):
    """The process is gone."""


class Log:
    """What the broker keeps: committed records and the committed offset; what an open transaction holds."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes | None, bytes | None]] = []
        self.changelog = Changelog()
        self.offset = 0
        self.open: list[tuple[str, bytes | None, bytes | None]] = []
        self.open_offset: int | None = None

    def fence(self) -> None:
        """A newer producer of the same transactional id: what was open is aborted, and leaves its place and a marker."""
        aborted = [topic for topic, _, _ in self.open if topic == SEEN]
        self.changelog.end += len(aborted) + bool(aborted)
        self.open, self.open_offset = [], None

    def commit(self) -> None:
        """What was open stands."""
        self.records += self.open
        if writes := {key: value for topic, key, value in self.open if topic == SEEN and key}:
            self.changelog.write(writes)
        self.offset = self.open_offset if self.open_offset is not None else self.offset
        self.open, self.open_offset = [], None


class Producer:
    """The producer's awaits, numbered as they come; the one that is told to dies before (even) or after (odd) its effect."""

    def __init__(self, log: Log, dies_at: int) -> None:
        self.log, self.dies_at, self.points = log, dies_at, 0

    async def point(self, effect: Any = None) -> None:
        self.strike()
        await asyncio.sleep(0)
        if effect is not None:
            effect()
        self.strike()
        await asyncio.sleep(0)

    def strike(self) -> None:
        """One more place to die at."""
        if self.points == self.dies_at:
            raise CrashError
        self.points += 1

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(100_000, 0, is_transactional=1)

    async def partitions_for(self, topic: str) -> set[int]:
        await self.point()
        return {0}

    async def begin_transaction(self) -> None:
        await self.point(self.log.fence)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> Any:
        await self.point()
        return asyncio.ensure_future(self._deliver(batch, topic))

    async def _deliver(self, batch: BatchBuilder, topic: str) -> Any:
        records = [(topic, each.key, each.value) for each in DefaultRecordBatch(bytes(batch._build()))]
        assert len(records) == batch.record_count()
        await self.point(lambda: self.log.open.extend(records))
        return SimpleNamespace(offset=self.log.changelog.end if topic == SEEN else 0)

    async def send_offsets_to_transaction(self, offsets: dict[Any, int], group: str) -> None:
        (offset,) = offsets.values()
        await self.point(lambda: setattr(self.log, "open_offset", offset))

    async def commit_transaction(self) -> None:
        await self.point(self.log.commit)

    async def abort_transaction(self) -> None:
        raise CrashError  # the process is gone


def count(batch: Batch) -> BatchResult:
    """A counter without a memory of offsets: one event lost or done twice shows."""
    seen = int(batch.table.get(b"key", b"0"))
    outputs = [Output("counts", b"key", b"%d" % (seen + number + 1)) for number in range(len(batch.records))]
    return BatchResult(outputs, {b"key": b"%d" % (seen + len(batch.records))})


class Struck:
    """A store that is struck before and after it keeps a batch."""

    def __init__(self, store: Store, producer: Producer, flushes: bool) -> None:
        self._store, self._producer, self._flushes = store, producer, flushes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def keep(self, *kept: Any) -> None:
        self._producer.strike()
        self._store.keep(*kept)
        if self._flushes:
            self._store._db.flush()  # type: ignore[attr-defined]
        self._producer.strike()


class Place:
    """Where the store of one life after the other is."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._kind, self._folder, self._lives = kind, folder, 0
        self.warm = 0  # lives that had to read nothing of what was there

    async def store(self, log: Log, producer: Producer) -> Store:
        """As the life before left it, brought to what is committed."""
        store: Store = MemoryStore() if self._kind == "memory" else rocks(self._folder / str(self._lives))
        read = await taken_over(store, log.changelog)
        self.warm += not read and bool(log.changelog.records)
        assert dict(store.items()) == log.changelog.table()
        struck: Any = Struck(store, producer, self._kind == "rocksdb, flushed")
        return struck

    def leave(self, store: Store) -> None:
        """The process is gone. What it had in memory is not found by the next."""
        here = self._folder / str(self._lives)
        self._lives += 1
        if self._kind != "memory":
            killed(here, self._folder / str(self._lives))
        store.close()


async def life(log: Log, dies_at: int, place: Place) -> bool:
    """One worker's life from its taking over; whether it came to the end of the source."""
    transactor = Transactor(SETTINGS, Partitioner(), "count", "events", 0)
    producer = transactor._producer = Producer(log, dies_at)
    log.fence()
    store = await place.store(log, producer)
    lane = Lane(
        AGENT,
        "events",
        0,
        settings=SETTINGS,
        observer=Observer(),
        transactor=transactor,
        on_room=lambda: None,
        store=store,
    )
    ended = asyncio.Event()
    lane.start(lambda _lane, _reason: ended.set())
    lane.accept([_record(offset) for offset in range(log.offset, RECORDS)], RECORDS)
    while not ended.is_set() and log.offset < RECORDS:
        await asyncio.sleep(0)
    if not ended.is_set() and producer.points <= dies_at:
        await lane.halt()
    place.leave(store)
    return log.offset == RECORDS


def _record(offset: int) -> Any:
    return SimpleNamespace(
        topic="events", partition=0, offset=offset, timestamp=offset, key=b"key", value=b"v", headers=()
    )


@pytest.mark.parametrize("kind", ["memory", "rocksdb", "rocksdb, flushed"])
@pytest.mark.parametrize("second", [None, 3])
async def test_wherever_it_crashes_every_output_is_committed_once_and_the_state_is_exact(
    second: int | None, kind: str, tmp_path: Path
) -> None:
    """Once, and again soon after somebody has taken over; with a table in memory, and with one on disk."""
    strikes = warm = 0
    for dies_at in range(10_000):
        log, place = Log(), Place(kind, tmp_path / str(dies_at))
        finished = await life(log, dies_at, place)
        strikes += not finished
        if not finished and second is not None:
            await life(log, second, place)
        assert await life(log, 10_000, place), "a life that nobody strikes comes to the end"
        counts = [value for topic, _, value in log.records if topic == "counts"]
        assert counts == [b"%d" % (number + 1) for number in range(RECORDS)], f"crashed at await {dies_at}"
        states = [value for topic, _, value in log.records if topic == SEEN]
        assert states[-1] == b"%d" % RECORDS, f"crashed at await {dies_at}"
        warm += place.warm
        if finished:
            break
    assert strikes > 30, "every await of three batches is struck, before and after its effect"
    assert bool(warm) == (kind == "rocksdb, flushed"), "what was on disk is not read again"
