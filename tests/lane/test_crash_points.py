"""A crash at each await of the lane's real order, one after the other: what is committed is exact wherever it strikes.

The lane and its transactor are the real ones; only the producer under them is a fake that keeps a log in memory, and dies at
the await it is told to, once before and once after that await has had its effect. Whoever takes over fences (what was open
is gone), loads the table from what was committed and goes on at the committed offset, as `Lanes.assume` does.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from streams.lane import Batch, BatchAgent, BatchResult, LaneSettings, Observer, Output
from streams.lane.lane import Lane
from streams.lane.partitions import Partitioner
from streams.lane.transaction import Transactor

RECORDS = 7
SETTINGS = LaneSettings(app_id="app", bootstrap_servers="nowhere:9092", batch_records=3)
AGENT = BatchAgent("count", ("events",), lambda batch: count(batch), {"events": "seen"})


class CrashError(Exception):
    """The process is gone."""


class Log:
    """What the broker keeps: committed records and the committed offset; what an open transaction holds."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes | None, bytes | None]] = []
        self.offset = 0
        self.open: list[tuple[str, bytes | None, bytes | None]] = []
        self.open_offset: int | None = None

    def fence(self) -> None:
        """A newer producer of the same transactional id: what was open is aborted."""
        self.open, self.open_offset = [], None


class Parcel:
    """A batch being built."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes | None]] = []

    def append(self, *, timestamp: Any, key: Any, value: Any, headers: Any) -> Any:
        self.records.append((key, value))
        return SimpleNamespace(size=100)


class Producer:
    """The producer's awaits, numbered as they come; the one that is told to dies before (even) or after (odd) its effect."""

    def __init__(self, log: Log, dies_at: int) -> None:
        self.log, self.dies_at, self.points = log, dies_at, 0

    async def point(self, effect: Any = None) -> None:
        for has_effect in (False, True):
            if has_effect and effect is not None:
                effect()
            if self.points == self.dies_at:
                raise CrashError
            self.points += 1
            await asyncio.sleep(0)

    def create_batch(self) -> Parcel:
        return Parcel()

    async def partitions_for(self, topic: str) -> set[int]:
        await self.point()
        return {0}

    async def begin_transaction(self) -> None:
        await self.point(self.log.fence)

    async def send_batch(self, batch: Parcel, topic: str, *, partition: int) -> Any:
        await self.point()
        return asyncio.ensure_future(self.point(lambda: self.log.open.extend((topic, *each) for each in batch.records)))

    async def send_offsets_to_transaction(self, offsets: dict[Any, int], group: str) -> None:
        (offset,) = offsets.values()
        await self.point(lambda: setattr(self.log, "open_offset", offset))

    async def commit_transaction(self) -> None:
        await self.point(self._commit)

    def _commit(self) -> None:
        self.log.records += self.log.open
        self.log.offset = self.log.open_offset if self.log.open_offset is not None else self.log.offset
        self.log.fence()

    async def abort_transaction(self) -> None:
        raise CrashError  # the process is gone


def count(batch: Batch) -> BatchResult:
    """A counter without a memory of offsets: one event lost or done twice shows."""
    seen = int(batch.table.get(b"key", b"0"))
    outputs = [Output("counts", b"key", b"%d" % (seen + number + 1)) for number in range(len(batch.records))]
    return BatchResult(outputs, {b"key": b"%d" % (seen + len(batch.records))})


async def life(log: Log, dies_at: int) -> bool:
    """One worker's life from its taking over; whether it came to the end of the source."""
    transactor = Transactor(SETTINGS, Partitioner(), "count", "events", 0)
    producer = transactor._producer = Producer(log, dies_at)
    log.fence()
    lane = Lane(AGENT, "events", 0, settings=SETTINGS, observer=Observer(), transactor=transactor, on_room=lambda: None)
    changelog = SETTINGS.changelog_topic("seen")
    lane.values.update({key: value for topic, key, value in log.records if topic == changelog and key and value})
    ended = asyncio.Event()
    lane.start(lambda _lane, _reason: ended.set())
    lane.accept([_record(offset) for offset in range(log.offset, RECORDS)])
    while not ended.is_set() and log.offset < RECORDS:
        await asyncio.sleep(0)
    if not ended.is_set() and producer.points <= dies_at:
        await lane.halt()
    return log.offset == RECORDS


def _record(offset: int) -> Any:
    return SimpleNamespace(
        topic="events", partition=0, offset=offset, timestamp=offset, key=b"key", value=b"v", headers=()
    )


@pytest.mark.parametrize("second", [None, 3])
async def test_wherever_it_crashes_every_output_is_committed_once_and_the_state_is_exact(second: int | None) -> None:
    """Once, and again soon after somebody has taken over."""
    strikes = 0
    for dies_at in range(10_000):
        log = Log()
        finished = await life(log, dies_at)
        strikes += not finished
        if not finished and second is not None:
            await life(log, second)
        while not await life(log, 10_000):
            pass
        counts = [value for topic, _, value in log.records if topic == "counts"]
        assert counts == [b"%d" % (number + 1) for number in range(RECORDS)], f"crashed at await {dies_at}"
        states = [value for topic, _, value in log.records if topic == SETTINGS.changelog_topic("seen")]
        assert states[-1] == b"%d" % RECORDS, f"crashed at await {dies_at}"
        if finished:
            break
    assert strikes > 30, "every await of three batches is struck, before and after its effect"
