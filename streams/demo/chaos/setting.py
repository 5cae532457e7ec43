"""A demo under chaos, put together: workers with short sessions, half of them with stores on disk; the producers; the course of strikes."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from schemas.topics import INPUT_TOPICS
from streams.broker import LocalBroker
from streams.demo.chaos.course import Course, strikes_on
from streams.demo.chaos.disorder import DisorderlySender
from streams.demo.chaos.probe import Probe
from streams.demo.chaos.scene import Scene, Worker
from streams.demo.fleet import Fleet, worker_member
from streams.demo.summary import UnderChaos
from streams.demo.users import Crowd
from streams.demo.wire import partitions_of
from streams.settings import Settings

SESSION_MS_OURS = 3_000
SESSION_MS_ELSEWHERE = 6_000
"""The least that a broker takes unless it is told otherwise (group.min.session.timeout.ms)."""
MORE_WORKERS_MAX = 1
SOURCE_TOPICS = (*INPUT_TOPICS, "person.changes")


class Chaos:
    """What is done on purpose. `run` in a task of its own. `bursts`: things that people did because a strike asked for it."""

    def __init__(
        self,
        settings: Settings,
        workers: int,
        seconds: float,
        folder: Path,
        crowd: Crowd,
        sender: DisorderlySender,
        broker: LocalBroker | None,
        rng: random.Random,
    ) -> None:
        self.bursts = 0
        self._settings, self._folder, self._crowd, self._sender = settings, folder, crowd, sender
        self._broker, self._random = broker, rng
        self._session_ms = SESSION_MS_ELSEWHERE if broker is None else SESSION_MS_OURS
        self._workers = [self._new_worker(number) for number in range(1, workers + 1)]
        self.fleet = Fleet([worker.member for worker in self._workers])
        self._course = Course(strikes_on(broker is not None), rng, seconds)
        self._scene: Scene | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is going to strike any more."""
        return self._course.is_over

    @property
    def now(self) -> str:
        """What is being done."""
        return self._course.now

    def begin(self) -> None:
        """People edit: let it begin."""
        self._course.begin()

    async def run(self) -> None:
        """From the first strike to the last. Raises WorkerFailed."""
        probe = Probe(self._settings)
        await probe.start()
        try:
            async with aiohttp.ClientSession() as session:
                self._scene = self._set(probe, session)
                await self._course.run(self._scene)
        finally:
            await probe.stop()

    def findings(self) -> Sequence[str]:
        """What went wrong while it was done, and what could not be done."""
        never = [f"{name} never struck" for name, count in self._course.counts.items() if not count]
        return [*never, *(() if self._scene is None else self._scene.complaints)]

    def report(self, messages: int, given_up: int) -> UnderChaos:
        """What was done, and how much was read afterwards."""
        details = {} if self._scene is None else dict(sorted(self._scene.details.items()))
        return UnderChaos(
            strikes=dict(self._course.counts),
            details=details,
            is_broker_ours=self._broker is not None,
            messages_repeated=self._sender.repeated,
            messages_reordered=self._sender.reordered,
            messages_audited=messages,
            messages_given_up=given_up,
        )

    def _set(self, probe: Probe, session: aiohttp.ClientSession) -> Scene:
        return Scene(
            fleet=self.fleet,
            broker=self._broker,
            probe=probe,
            session=session,
            random=self._random,
            new_worker=self._new_worker,
            burst=self._burst,
            session_seconds=self._session_ms / 1000,
            workers=self._workers,
            workers_max=len(self._workers) + MORE_WORKERS_MAX,
            partitions=len(partitions_of(self._settings, map(self._settings.topic, SOURCE_TOPICS))),
        )

    def _new_worker(self, number: int) -> Worker:
        """Every other one keeps its tables on disk as well, so that both kinds take over from each other."""
        options = ["--session-timeout-ms", str(self._session_ms)]
        data_folder = self._folder / f"worker-{number}" / "data" if number % 2 else None
        if data_folder is not None:
            options += ["--store", "rocksdb", "--data-folder", str(data_folder)]
        return Worker(number, worker_member(self._settings, number, self._folder, options=options), data_folder)

    def _burst(self, count: int) -> None:
        self.bursts += count
        for _ in range(count):
            self._crowd.act(time.time())
