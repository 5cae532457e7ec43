"""What is struck, and how to look at it: the workers with their stores, the broker, the people, and what Kafka shows of all of them."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from streams.broker import LocalBroker
from streams.demo.chaos.probe import Probe
from streams.demo.fleet import Fleet, Member, WorkerFailed
from streams.lane.worker import EX_FAILURE

LOOK_SECONDS = 0.01
SETTLE_SECONDS_MAX = 90.0
AFTERMATH_SECONDS = 15.0
"""After the broker came back: half as long again as a transaction lasts. Of one that was open, a worker may hear only then that it is lost."""
READY = "ready"

_held = re.compile(r'^leadsync_lag_offsets\{partition="(\d+)",topic="([^"]+)"\}', re.MULTILINE)


@dataclass
class Worker:
    """A member of the fleet and its number; `data_folder` where its tables are on disk as well."""

    number: int
    member: Member
    data_folder: Path | None


@dataclass
class Scene:
    """Everything in reach. `burst` lets people do so many things at once; `partitions` are all that workers read; `details` counts what came of strikes."""

    fleet: Fleet
    broker: LocalBroker | None
    probe: Probe
    session: aiohttp.ClientSession
    random: random.Random
    new_worker: Callable[[int], Worker]
    burst: Callable[[int], None]
    session_seconds: float
    workers: list[Worker]
    workers_max: int
    partitions: int
    details: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    broker_back_at: float = float("-inf")  # by the monotonic clock

    # -- The workers -----------------------------------------------------------------------------------------------

    def any_worker(self, among: Iterable[Worker] | None = None) -> Worker:
        """One of them."""
        return self.random.choice(list(self.workers if among is None else among))

    def with_stores(self) -> list[Worker]:
        """Those that keep their tables on disk."""
        return [worker for worker in self.workers if worker.data_folder is not None]

    def add_worker(self) -> Worker:
        """One more, under the lowest number that is free: a number, and so an instance id, may come back."""
        taken = {worker.number for worker in self.workers}
        worker = self.new_worker(next(n for n in range(1, len(taken) + 2) if n not in taken))
        self.workers.append(worker)
        self.fleet.add(worker.member)
        return worker

    async def remove_worker(self, worker: Worker) -> None:
        """One less, in good order. It has to end as a worker ends that was asked to; before it is ready, the signal may end it.

        One whose transaction the broker took with it cannot finish its batch, and has to say so by its status.
        """
        self.workers.remove(worker)
        was_ready = await self._is_ready(worker)
        may_fail = time.monotonic() < self.broker_back_at + AFTERMATH_SECONDS
        status = await self.fleet.remove(worker.member)
        if status == EX_FAILURE and may_fail:
            self.details["could not finish its batch after the broker's end"] += 1
        elif status != 0 and (was_ready or status != -signal.SIGTERM):
            self.complaints.append(f"{worker.member.name} was asked to stop and ended with status {status}")

    async def says(self, worker: Worker) -> str:
        """What it says of its readiness now; empty where it has no port."""
        return await worker.member.says(self.session, "/health/ready") or ""

    async def holds(self, worker: Worker) -> set[tuple[str, int]]:
        """The source partitions that it holds."""
        metrics = await worker.member.says(self.session, "/metrics") or ""
        return {(topic, int(partition)) for partition, topic in _held.findall(metrics)}

    # -- Waiting ---------------------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], Awaitable[bool]], seconds_max: float) -> bool:
        """Whether it came true in time."""
        deadline = time.monotonic() + seconds_max
        while not await condition():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def until_settled(self, after: str) -> None:
        """Wait until every worker is ready. Raises WorkerFailed."""
        for worker in list(self.workers):
            if not await self.until(lambda worker=worker: self._is_ready(worker), SETTLE_SECONDS_MAX):  # type: ignore[misc]
                raise WorkerFailed(
                    f"{worker.member.name} is not ready {SETTLE_SECONDS_MAX:.0f} s after {after}: "
                    f"it says {await self.says(worker)!r}; {worker.member.last_words()}"
                )

    async def _is_ready(self, worker: Worker) -> bool:
        return await self.says(worker) == READY

    @contextmanager
    def excused(self, *workers: Worker) -> Iterator[None]:
        """Meanwhile these workers, or all of them, cannot be expected to start."""
        struck = workers or tuple(self.workers)
        for worker in struck:
            worker.member.is_excused = True
        try:
            yield
        finally:
            for worker in struck:
                worker.member.is_excused = False
