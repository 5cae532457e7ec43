"""One case of what grows: so many people at rest in so many partitions, the workers that fold them, round by round."""

from __future__ import annotations

import asyncio
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

from streams.bench.at_rest import RECORDS_MAX, PeopleAtRest, write_people_at_rest
from streams.bench.cost import Cost
from streams.bench.editing import BY_TURNS
from streams.bench.failed import BenchFailed
from streams.bench.load import Load
from streams.bench.message import Shown, message_of
from streams.bench.ranges import Traffic, Wave, traffic_of
from streams.bench.stage import Stage, WorkerProcess, stage
from streams.bench.wire import Wire
from streams.settings import Settings
from streams.sync.messages import ApplyResult
from streams.topics import wanted_topics

WAVES_MAX = 12
WAVE_SECONDS_MAX = 600.0
LOOK_SECONDS = 1.0


class Rounds(NamedTuple):
    """How many, of how many edits; and one before them that is not counted."""

    times: int
    edits: int


class OfSoManyPartitions(Wire):
    """A wire to topics that are there, with so many partitions."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        super().__init__(settings)
        self._wanted = wanted_topics(settings, partitions)


class Case:
    """Some people at rest, their topics, and the workers that fold them."""

    def __init__(self, here: Stage, wire: Wire, people: int, written: Mapping[str, int], rounds: Rounds) -> None:
        self.people, self.written = people, written
        self.edits = min(people, rounds.edits)
        self.traffic: dict[str, Traffic] = {}  # of the rounds that are not counted, by topic
        self._here, self._wire = here, wire
        self._workers: list[WorkerProcess] = []
        self._rounds: list[tuple[int, Cost]] = []  # changes, and what they took
        # Those who are edited: other people in each round where there are so many, evenly out of all.
        drawn = min(people, self.edits * (rounds.times + 1)) or 1
        self._systems = PeopleAtRest(Load(people=people), range(0, people, max(1, people // drawn)))

    async def start(self, count: int, *options: str) -> float:
        """Start so many workers; how long the first took until it was ready, from the start of its process."""
        self._workers = [self._here.worker(f"growth-{number}", *options) for number in range(1, count + 1)]
        seconds = []
        for worker in self._workers:
            began = perf_counter()
            await worker.start()
            await worker.ready()
            seconds.append(perf_counter() - began)
        return seconds[0]

    async def stop(self) -> None:
        """End all workers in good order."""
        for worker in self._workers:
            await worker.end(signal.SIGTERM)
        self._workers = []

    @property
    def resident_bytes(self) -> int:
        """What the workers hold in memory."""
        return sum(worker.resident_bytes() for worker in self._workers)

    async def round(self, number: int) -> None:
        """Edits, and what lands, until nothing more is commanded. That of number 0 is a warm-up."""
        changes, cost = 0, Cost()
        words: Iterable[Shown | ApplyResult] = self._edits_of(number)
        for _ in range(WAVES_MAX):
            changes += await self._wire.write(map(message_of, words))
            cost += await self._fold()
            wave = await self._wire.wave()
            if not number:
                await self._add_traffic(wave)
            commands = await self._wire.commands(wave)
            if not commands:
                if number:
                    self._rounds.append((changes, cost))
                return
            words = map(self._systems.carry_out, commands)
        raise BenchFailed(f"growth: {self.people} people do not come to rest")

    def _edits_of(self, number: int) -> Iterator[Shown]:
        people, rules = self._systems.people, self._systems.edited
        for place in range(self.edits):
            person = people[(number * self.edits + place) % len(people)]
            yield self._systems.edit(person, BY_TURNS[place % 2], rules[(number + place) % len(rules)])

    async def _fold(self) -> Cost:
        """Release the wave; what it took until it was folded."""
        began = self._spent()
        await self._wire.release()
        folded = asyncio.create_task(self._wire.folded())
        try:
            async with asyncio.timeout(WAVE_SECONDS_MAX):
                while not folded.done():
                    await asyncio.wait([folded], timeout=LOOK_SECONDS)
                    for worker in self._workers:
                        worker.refuse_if_ended()
            await folded
        finally:
            folded.cancel()
        return self._spent() - began

    def _spent(self) -> Cost:
        return Cost(perf_counter(), sum(worker.cpu_seconds() for worker in self._workers))

    async def _add_traffic(self, wave: Wave) -> None:
        intake, sync = wave.hops
        found: defaultdict[str, Traffic] = defaultdict(Traffic, self.traffic)
        for place, records in (await self._wire.read([*intake.reads, *intake.writes, *sync.writes])).items():
            found[place.topic.removeprefix(self._here.settings.prefix)] += traffic_of(records)
        self.traffic = dict(found)

    def rates(self) -> dict[str, Any]:
        """Medians of the rounds since this was last asked."""
        rounds, self._rounds = self._rounds, []
        return {
            "per_second": round(median(changes / cost.seconds for changes, cost in rounds)),
            "per_cpu_second": round(median(changes / cost.cpu_seconds for changes, cost in rounds)),
            "cpu_microseconds_per_change": round(
                median(cost.cpu_seconds / changes * 1e6 for changes, cost in rounds), 1
            ),
        }


async def open_case(
    stack: AsyncExitStack,
    settings: Settings,
    people: int,
    partitions: int,
    rounds: Rounds,
    say: Callable[[str], None],
    batch_records: int = RECORDS_MAX,
) -> Case:
    """A case with its topics, its people written, and no worker yet. It closes with the stack."""
    load = Load(people=people)
    own = replace(settings, prefix=f"{settings.prefix}{people}x{partitions}.")
    here = await stack.enter_async_context(stage(own, load, partitions))
    wire = await stack.enter_async_context(OfSoManyPartitions(own, partitions))
    written = await write_people_at_rest(own, load, range(people), partitions, say, batch_records)
    await wire.wave()  # what stands there now belongs to no round
    return Case(here, wire, people, written, rounds)
