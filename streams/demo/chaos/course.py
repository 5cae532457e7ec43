"""One strike after the other, each kind once in every round; what struck, how often, and what is struck now."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping

from streams.demo.chaos import brokers, stores, workers
from streams.demo.chaos.scene import Scene

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)  # the log of a demo holds warnings, and this

Strike = Callable[[Scene], Awaitable[bool]]

ON_WORKERS: Mapping[str, Strike] = {
    "kill_in_recovery": workers.kill_in_recovery,
    "kill_in_rebalance": workers.kill_in_rebalance,
    "kill_in_batch": workers.kill_in_batch,
    "zombie": workers.zombie,
    "worker_added": workers.add,
    "worker_removed": workers.remove,
}
ON_BROKER: Mapping[str, Strike] = {"broker_restarted": brokers.restart, "broker_killed": brokers.kill}
ON_STORES: Mapping[str, Strike] = {"disk_full": stores.fill_disk, "store_damaged": stores.damage}

TRIES_MAX = 6
OVERTIME_SECONDS_MAX = 300.0
PAUSE_SECONDS = (0.5, 2.5)
HURRIED_SHARE = 0.3
"""From the second round on, so many strikes come before the system has got over the one before."""


def strikes_on(has_broker: bool) -> dict[str, Strike]:
    """What there is to strike: the broker only where it is ours."""
    return {**ON_WORKERS, **(ON_BROKER if has_broker else {}), **ON_STORES}


class Course:
    """`run` in a task of its own; `begin` when people begin to edit. Over after so many seconds, and hardly before every kind has struck."""

    def __init__(self, strikes: Mapping[str, Strike], rng: random.Random, seconds: float) -> None:
        self.counts = Counter(dict.fromkeys(strikes, 0))
        self.now = ""
        self._strikes, self._random, self._seconds = strikes, rng, seconds
        self._begun, self._over = asyncio.Event(), asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether nothing is going to strike any more."""
        return self._over.is_set()

    def begin(self) -> None:
        """People edit."""
        self._begun.set()

    async def run(self, scene: Scene) -> None:
        """Until the time is over. Raises WorkerFailed where a worker does not get over it."""
        await self._begun.wait()
        until = time.monotonic() + self._seconds
        for name in self._order():
            late_seconds = time.monotonic() - until
            if late_seconds > OVERTIME_SECONDS_MAX or (late_seconds > 0 and all(self.counts.values())):
                break
            await self._strike(scene, name)
        await scene.until_settled("the last strike")
        self.now = ""
        self._over.set()

    def _order(self) -> Iterator[str]:
        """Each kind once in every round, in another order each time."""
        while True:
            yield from self._random.sample(list(self._strikes), len(self._strikes))

    async def _strike(self, scene: Scene, name: str) -> None:
        began = time.monotonic()
        self.now = name.replace("_", " ")
        for attempt in range(1, TRIES_MAX + 1):
            log.info("%s, try %d; workers %s", name, attempt, [worker.member.name for worker in scene.workers])
            struck = await self._strikes[name](scene)
            if not (struck and all(self.counts.values()) and self._random.random() < HURRIED_SHARE):
                await scene.until_settled(self.now)
            log.info("%s: %s, %.1f s", name, "struck" if struck else "missed", time.monotonic() - began)
            self.counts[name] += struck
            await asyncio.sleep(self._random.uniform(*PAUSE_SECONDS))
            if struck:
                break
