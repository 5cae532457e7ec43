"""Exactly once, whatever happens to the workers.

The counters of `counting_worker` remember nothing but their tables, so the outputs of each key must be 1, 2, 3, … in
this order, and the table must hold the last.
"""

import asyncio
import signal

import pytest

from tests.lane.broker import read_committed
from tests.lane.scene import PARTITIONS, SESSION_SECONDS, Scene
from tests.lane.workers import Worker, eventually, workers

pytestmark = pytest.mark.kafka


async def test_restarts_and_kills_in_mid_load_lose_and_repeat_nothing(kafka: str) -> None:
    """A worker that is stopped, or killed at any point, is followed by one that goes on at the last commit."""
    scene = await Scene(kafka).create()
    await scene.load(20_000)
    async with workers() as start:
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            worker = await start(scene.options)
            await worker.until_handled(2_000)
            status = await worker.end(number)
            assert status == (0 if number is signal.SIGTERM else -signal.SIGKILL)
        await start(scene.options)
        await scene.assert_exact()


async def test_three_sources_with_a_table_each_stay_apart_and_exact(kafka: str) -> None:
    """Topics of one agent have tables, transactions and positions of their own."""
    scene = await Scene(kafka, sources=3).create()
    async with workers() as start:
        worker = await start(scene.options)
        await asyncio.gather(*(scene.load(4_000, source) for source in range(3)))
        await worker.until_handled(3_000)
        await worker.end(signal.SIGKILL)
        await start(scene.options)
        await scene.assert_exact()


async def test_a_chain_of_two_agents_is_exact_under_kills(kafka: str) -> None:
    """The second agent sees only what the first has committed, or it would count what is then taken back."""
    scene = await Scene(kafka, chain=True, settings={"group_instance_id": "one"}).create()
    await scene.load(20_000)
    async with workers() as start:
        for _ in range(4):
            worker = await start(scene.options)
            await worker.until_handled(4_000)
            await worker.end(signal.SIGKILL)
        await start(scene.options)
        await scene.assert_exact()


async def test_workers_share_partitions_and_take_over_from_each_other(kafka: str) -> None:
    """One that joins gets its share; one that leaves, or is killed, leaves it to the others with its tables."""
    scene = await Scene(kafka, milliseconds_per_batch=20).create()  # slow enough for every change to meet a backlog
    async with workers() as start:
        first = await start(scene.options)
        await first.until_ready()
        assert len(first.held) == PARTITIONS
        await scene.load(12_000)
        second = await start(scene.options)
        await eventually(lambda: bool(second.held) and not first.held & second.held)
        assert len(first.held | second.held) == PARTITIONS
        await second.until_handled(500)
        assert await second.end(signal.SIGTERM) == 0
        await eventually(lambda: len(first.held) == PARTITIONS)
        third = await start(scene.options)
        await eventually(lambda: bool(third.held))
        await scene.load(12_000)
        await third.until_handled(500)
        await third.end(signal.SIGKILL)
        await scene.assert_exact()
        assert len(first.held) == PARTITIONS


async def test_a_worker_that_wakes_up_after_its_session_writes_nothing(kafka: str) -> None:
    """While it slept others took its partitions over: what it had in hand is refused by the broker, or dropped."""
    scene = await Scene(kafka, milliseconds_per_batch=20).create()
    async with workers() as start:
        sleeper, other = await start(scene.options), await start(scene.options)
        await eventually(lambda: len(sleeper.held) == len(other.held) == PARTITIONS // 2)
        await scene.load(10_000)
        await sleeper.until_handled(400)
        sleeper.signal(signal.SIGSTOP)
        await eventually(lambda: len(other.held) == PARTITIONS, seconds=SESSION_SECONDS * 4)
        await read_committed(kafka, scene.options.target, scene.produced.total())
        sleeper.signal(signal.SIGCONT)
        await scene.load(4_000)
        await _back_or_gone(sleeper)
        await scene.load(4_000)
        await scene.assert_exact()


async def _back_or_gone(sleeper: Worker) -> None:
    """Both are right: it notices first and joins again, or it writes first, is refused and ends."""
    seen = sleeper.lines.count("ready")
    await eventually(lambda: sleeper.lines.count("ready") > seen or sleeper.process.returncode is not None)
    assert sleeper.process.returncode in (None, 1), sleeper.log[-3000:]


async def test_a_static_member_restarted_at_once_gets_its_partitions_back_within_its_session(kafka: str) -> None:
    """With an instance id the group does not wait for the session of the one that was killed."""
    settings = {"group_instance_id": "one", "session_timeout_ms": 30_000}
    scene = await Scene(kafka, settings=settings).create()
    await scene.load(5_000)
    async with workers() as start:
        worker = await start(scene.options)
        await worker.until_handled(500)
        await worker.end(signal.SIGKILL)
        again = await start(scene.options)
        await again.until(lambda lines: "ready" in lines, seconds=15)
        await scene.assert_exact()
