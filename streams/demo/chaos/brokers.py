"""Strikes on the broker, on data that stays: it must be the demo's own."""

from __future__ import annotations

import asyncio
import time

from streams.broker import LocalBroker
from streams.demo.chaos.scene import Scene

AWAY_SECONDS = (0.0, 3.0)
BURST = (100, 400)


async def restart(scene: Scene) -> bool:
    """Stopped in good order and started again, under load."""
    with scene.excused():
        scene.burst(scene.random.randint(*BURST))
        await _start_again(scene)
        await scene.until_settled("the broker was restarted")
    return True


async def kill(scene: Scene) -> bool:
    """`kill -9` under load; back after a moment."""
    broker = _own(scene)
    with scene.excused():
        scene.burst(scene.random.randint(*BURST))
        await asyncio.sleep(scene.random.uniform(0, 0.5))
        await asyncio.to_thread(broker.kill)
        await asyncio.sleep(scene.random.uniform(*AWAY_SECONDS))
        await _start_again(scene)
        await scene.until_settled("the broker was killed")
    return True


async def _start_again(scene: Scene) -> None:
    await asyncio.to_thread(_own(scene).restart)
    scene.broker_back_at = time.monotonic()


def _own(scene: Scene) -> LocalBroker:
    assert scene.broker is not None
    return scene.broker
