"""Strikes on workers. Each tells whether it struck as it is meant to; where it did not, it may be tried again."""

from __future__ import annotations

import asyncio
import signal
import time

from streams.demo.chaos.scene import LOOK_SECONDS, READY, Scene, Worker

RECOVERY_SECONDS_MAX = 60.0
REBALANCE_SECONDS_MAX = 30.0
BUSY_SECONDS_MAX = 15.0
COMMITTED_SECONDS = 0.05
"""A commit that was asked for before the worker was stopped is done by then."""
BURST = (200, 800)
"""So many things do people do at once, to make a backlog."""


async def kill_in_recovery(scene: Scene) -> bool:
    """Killed, and killed again before it is ready: while it joins, or while it reads its tables."""
    worker = scene.any_worker()
    wanted = scene.random.choice(["joining", "recovering"])
    life = worker.member.lives
    scene.fleet.kill(worker.member)
    deadline = time.monotonic() + RECOVERY_SECONDS_MAX
    while time.monotonic() < deadline:
        said = await scene.says(worker) if worker.member.lives > life else ""
        if said == READY:
            return False
        if said.startswith(wanted):
            scene.fleet.kill(worker.member)
            scene.details[f"killed while {wanted}"] += 1
            return True
        await asyncio.sleep(LOOK_SECONDS / 2)
    return False


async def kill_in_rebalance(scene: Scene) -> bool:
    """Killed while its partitions change hands, because another worker has come, or has gone."""
    if len(scene.workers) == scene.workers_max:
        leaving = scene.any_worker(_dispensable(scene))
        victim = scene.any_worker(worker for worker in scene.workers if worker is not leaving)
        change, cause = asyncio.create_task(scene.remove_worker(leaving)), "went"
    else:
        victim = scene.any_worker()
        scene.add_worker()
        change, cause = None, "came"
    struck = await scene.until(lambda: _is_changing_hands(scene, victim), REBALANCE_SECONDS_MAX)
    if struck:
        scene.fleet.kill(victim.member)
        scene.details[f"killed when another {cause}"] += 1
    if change is not None:
        await change
    return struck


async def _is_changing_hands(scene: Scene, worker: Worker) -> bool:
    said = await scene.says(worker)
    return said not in ("", READY)


async def kill_in_batch(scene: Scene) -> bool:
    """Killed with a transaction open, which it leaves behind."""
    worker = await _stopped_in_batch(scene)
    if worker is not None:
        scene.fleet.kill(worker.member)
    return worker is not None


async def _stopped_in_batch(scene: Scene) -> Worker | None:
    """A worker that has a transaction open, and is stopped. A look at Kafka takes longer than most batches: so stop, then look again."""
    owners = await _owners(scene)
    deadline = time.monotonic() + BUSY_SECONDS_MAX
    scene.burst(scene.random.randint(*BURST))
    while time.monotonic() < deadline:
        for partition in await scene.probe.open():
            worker = owners.get(partition)
            if worker is None:
                continue
            worker.member.signal(signal.SIGSTOP)
            await asyncio.sleep(COMMITTED_SECONDS)
            if partition in await scene.probe.open():
                return worker
            worker.member.signal(signal.SIGCONT)
    return None


async def _owners(scene: Scene) -> dict[int, Worker]:
    """Who folds which partition of the event log."""
    return {
        partition: worker
        for worker in scene.workers
        for topic, partition in await scene.holds(worker)
        if topic.endswith("person.changes")
    }


async def zombie(scene: Scene) -> bool:
    """Stopped in mid-batch for longer than its session, until others hold what it held; then it wakes up, and must not write."""
    if len(scene.workers) == 1:
        scene.add_worker()
        await scene.until_settled("a worker joined")
    worker = await _stopped_in_batch(scene)
    if worker is None:
        return False
    life = worker.member.lives
    with scene.excused(worker):
        try:
            await asyncio.sleep(scene.session_seconds)
            replaced = await scene.until(lambda: _is_replaced(scene, worker), REBALANCE_SECONDS_MAX)
            await asyncio.sleep(scene.random.uniform(0, 2))
        finally:
            worker.member.signal(signal.SIGCONT)
        await scene.until(lambda: _is_awake(scene, worker, life), REBALANCE_SECONDS_MAX)
    scene.details["woke up, and ended" if worker.member.lives > life else "woke up, and joined again"] += 1
    return replaced


async def _is_replaced(scene: Scene, sleeper: Worker) -> bool:
    """Whether the others hold everything."""
    held = [await scene.holds(worker) for worker in scene.workers if worker is not sleeper]
    return len(set[tuple[str, int]]().union(*held)) == scene.partitions


async def _is_awake(scene: Scene, worker: Worker, life: int) -> bool:
    """It has ended, or says anything at all."""
    return worker.member.lives > life or await scene.says(worker) != ""


async def add(scene: Scene) -> bool:
    """One more worker, under load; where there are enough, another one goes first."""
    if len(scene.workers) >= scene.workers_max:
        await scene.remove_worker(scene.any_worker(_dispensable(scene)))
    scene.burst(scene.random.randint(*BURST))
    scene.add_worker()
    return True


async def remove(scene: Scene) -> bool:
    """One less, stopped in good order in the middle of its work."""
    if len(scene.workers) == 1:
        scene.add_worker()
        await scene.until_settled("a worker joined")
    scene.burst(scene.random.randint(*BURST))
    await asyncio.sleep(scene.random.uniform(0, 0.5))
    await scene.remove_worker(scene.any_worker(_dispensable(scene)))
    return True


def _dispensable(scene: Scene) -> list[Worker]:
    """All but the last one that has stores: they are to be struck too."""
    stores = scene.with_stores()
    return [worker for worker in scene.workers if len(stores) > 1 or worker not in stores]
