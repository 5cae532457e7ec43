"""The lag that a worker tells of itself: all that is not committed, whether it was fetched or not."""

import asyncio

import pytest

from streams.lane import Batch, BatchAgent, BatchResult, LaneSettings, create_app, serve
from tests.lane.broker import create_topics, fresh, produce
from tests.lane.test_observer import Notes

pytestmark = pytest.mark.kafka

FETCH_BYTES, RECORD_BYTES = 16_384, 1_000
LONG_BEFORE, THEN = 300, 700
"""More than what is fetched ahead of a lane that takes nothing; then so many come that nothing was fetched since."""


async def test_lag_grows_with_what_comes_while_nothing_is_fetched(kafka: str) -> None:
    """A lane that is full is not fetched for, and what the last fetch told of the end is old then."""
    source, may_go = fresh("source"), asyncio.Event()
    at = (source, 0)

    async def handle(batch: Batch) -> BatchResult:
        await may_go.wait()
        return BatchResult()

    async def come(records: int) -> None:
        await produce(kafka, source, ((b"key", b"x" * RECORD_BYTES) for _ in range(records)), 1)

    settings = LaneSettings(fresh("app"), kafka, batch_records=20, max_partition_fetch_bytes=FETCH_BYTES)
    await create_topics(kafka, [source], 1)
    notes, stop = Notes(), asyncio.Event()
    app = create_app(settings, [BatchAgent("slow", (source,), handle)], notes)
    serving = asyncio.create_task(serve(app, stop=stop, rare_collector=False))
    try:
        await notes.until(lambda: notes.readiness[-1:] == [True])
        await come(LONG_BEFORE)
        await notes.until(lambda: bool(notes.lags) and notes.lags[-1] == {at: LONG_BEFORE})
        assert next(iter(app.lanes.held)).full
        await come(THEN)
        await notes.until(lambda: notes.lags[-1] == {at: LONG_BEFORE + THEN})
        may_go.set()
        await notes.until(lambda: notes.lags[-1] == {at: 0})
    finally:
        stop.set()
        assert await serving == 0
