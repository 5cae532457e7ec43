"""Workers of one group on a real broker, killed and stopped in mid-load: every output once, every state exact."""

from __future__ import annotations

import asyncio
import signal

import pytest

from streams.settings import Settings
from tests.kafka.audit import audit
from tests.kafka.load import committed, drained, edits, send
from tests.kafka.workers import WorkerProcess, workers

pytestmark = pytest.mark.kafka

PEOPLE, ROUNDS = 400, 25
PATIENCE_SECONDS = 60.0


async def until_committed(settings: Settings, offsets: int) -> None:
    """Wait until the event log has been folded up to here."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await committed(settings) < offsets:
            await asyncio.sleep(0.02)


async def finish(settings: Settings, sent: set[str], loading: asyncio.Task[None] | None = None) -> None:
    """Everything sent has gone through; nothing is lost, twice or wrong."""
    if loading is not None:
        await loading
    await drained(settings)
    (await audit(settings)).check(sent)


async def test_a_worker_merges_what_comes_and_stops_with_status_0(settings: Settings) -> None:
    """The plain case, and SIGTERM."""
    messages, ids = edits(50, 4)
    async with workers(settings, "one") as [worker]:
        await send(settings, messages)
        await finish(settings, ids)
        assert 'leadsync_changes_in_total{system="marketo"} 200.0' in worker.get("/metrics")
        assert await worker.end(signal.SIGTERM) == 0


async def test_kill_9_in_mid_load_loses_and_repeats_nothing(settings: Settings) -> None:
    """Three times, each at another place of the load."""
    messages, ids = edits(PEOPLE, ROUNDS)
    async with workers(settings, "one") as [worker]:
        loading = asyncio.create_task(send(settings, messages))
        for share in (0.1, 0.4, 0.7):
            await until_committed(settings, int(len(messages) * share))
            await worker.end(signal.SIGKILL)
            await (await worker.start()).ready()
        await finish(settings, ids, loading)


async def test_two_workers_share_and_the_other_takes_over_with_its_tables(settings: Settings) -> None:
    """One is stopped in good order, then comes back; then the other one is killed for good."""
    messages, ids = edits(PEOPLE, ROUNDS)
    async with workers(settings, "one", "two") as [one, two]:
        loading = asyncio.create_task(send(settings, messages))
        await until_committed(settings, len(messages) // 5)
        assert await one.end(signal.SIGTERM) == 0
        await until_committed(settings, len(messages) // 2)
        await (await one.start()).ready()
        await two.end(signal.SIGKILL)
        await finish(settings, ids, loading)


async def test_a_zombie_that_wakes_up_writes_nothing(settings: Settings) -> None:
    """SIGSTOP for longer than the session time-out, until the other has taken over; then SIGCONT."""
    messages, ids = edits(PEOPLE, ROUNDS)
    async with workers(settings, "one", "two") as [one, two]:
        loading = asyncio.create_task(send(settings, messages))
        await until_committed(settings, len(messages) // 5)
        one.send(signal.SIGSTOP)
        await loading
        await two.until(lambda: holds_everything(two), "in possession of all partitions")
        await drained(settings)
        one.send(signal.SIGCONT)
        more, more_ids = edits(PEOPLE, 4, first=PEOPLE)
        await send(settings, more)
        await finish(settings, ids | more_ids)


def holds_everything(worker: WorkerProcess) -> bool:
    """Whether the worker reports the lag of every partition of the event log."""
    return worker.get("/metrics").count('leadsync_lag_offsets{partition="') >= 20
