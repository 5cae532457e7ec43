"""What a worker that ends leaves to the others, and when."""

import dataclasses
import signal

import pytest

from tests.lane.scene import PARTITIONS, Scene
from tests.lane.workers import Worker, eventually, workers

pytestmark = pytest.mark.kafka

SESSION = {"session_timeout_ms": 60_000, "heartbeat_interval_ms": 200}
"""Longer than any test waits: what changes hands meanwhile was given away."""


def member(scene: Scene, instance: str):
    """The options of a static member."""
    return dataclasses.replace(scene.options, settings={**scene.options.settings, "group_instance_id": instance})


def holds_everything(worker: Worker) -> bool:
    return len(worker.held) == PARTITIONS and worker.lines[-1] != "not ready"


async def test_a_static_member_that_is_stopped_gives_its_partitions_away(kafka: str) -> None:
    """With an instance id or without: nobody waits for the session of somebody who was asked to go."""
    scene = await Scene(kafka, settings=SESSION).create()
    await scene.load(2_000)
    async with workers() as start:
        staying, leaving = await start(member(scene, "one")), await start(member(scene, "two"))
        await eventually(lambda: len(staying.held) == len(leaving.held) == PARTITIONS // 2)
        await leaving.until_ready()
        assert await leaving.end(signal.SIGTERM) == 0
        await eventually(lambda: holds_everything(staying))
        await scene.load(500)
        await scene.assert_exact()


async def test_a_static_member_that_fails_keeps_its_partitions_for_its_next_life(kafka: str) -> None:
    """Its supervisor starts it again at once: that is cheaper than two rebalances."""
    scene = await Scene(kafka, settings=SESSION, fail_on_value="event").create()
    async with workers() as start:
        staying = await start(dataclasses.replace(member(scene, "one"), fail_on_value=None))
        failing = await start(member(scene, "two"))
        await eventually(lambda: len(staying.held) == len(failing.held) == PARTITIONS // 2)
        await failing.until_ready()
        await scene.load(300)
        assert await failing.ended() == 1
        changes = sum(line.startswith("assigned") for line in staying.lines)
        again = await start(dataclasses.replace(member(scene, "two"), fail_on_value=None))
        await again.until_ready()
        assert len(again.held) == PARTITIONS // 2
        assert sum(line.startswith("assigned") for line in staying.lines) == changes
        await scene.assert_exact()
