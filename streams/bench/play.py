"""One subject under its loads: its process, its topics, and the people whose two systems are played to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from time import perf_counter

from msgspec import Struct

from streams.bench.cost import Cost
from streams.bench.editing import edits_of
from streams.bench.failed import BenchFailed
from streams.bench.helper import Helper
from streams.bench.load import Load
from streams.bench.message import Shown, message_of, with_bad
from streams.bench.ranges import Traffic, Wave
from streams.bench.subject import Subject
from streams.bench.subjects import sizes_of
from streams.bench.systems import Systems
from streams.bench.wire import Wire
from streams.sync.messages import ApplyCommand, ApplyResult

WAVES_MAX = 12
WAVE_SECONDS_MAX = 600.0


class Part(Struct, frozen=True):
    """What one subject or helper did in a round: of so many changes, so many were edits."""

    changes: int = 0
    edits: int = 0
    cost: Cost = Cost()


class Round(Struct):
    """One round, by what was measured; the floor's traffic, which is the worker's."""

    parts: dict[str, Part] = {}
    read: Traffic = Traffic()
    written: Traffic = Traffic()


class Play:
    """The people are those of `load`, as many as suit the subject."""

    def __init__(self, load: Load, wire: Wire, subject: Subject) -> None:
        self.name, self.subject = subject.name, subject
        self.idle = Cost()  # what the process took while it was not its turn
        self._wire = wire
        self._systems = Systems(sizes_of(self.name, load))
        self._changes = 0  # of the wave that is written and waits
        self._turn_ended: Cost | None = None

    async def bring_to_rest(self) -> None:
        """New leads in Dynamics, and whatever the subject wants done until it wants nothing more."""
        await self._write(self._systems.new_leads(), 0.0)
        for _ in range(WAVES_MAX):
            await self._fold()
            if not await self._carry_out(await self._wire.wave(), 0.0):
                return
        raise BenchFailed(f"{self.name}: people do not come to rest")

    async def prepare(self, load: Load, number: int) -> None:
        """Write a round's edits, unseen as yet. Where they are to be a backlog, the subject is away meanwhile."""
        edits = edits_of(sizes_of(self.name, load), self._systems, number)
        if not load.backlog:
            await self._write(edits, load.bad_share)
            return
        self._turn_ended = None
        async with self.subject.away(self._wire.is_attended):
            await self._write(edits, load.bad_share)

    async def round(self, load: Load, helpers: Sequence[Helper]) -> Round:
        """Have the subject fold the edits and then what answers its commands, until it wants nothing more."""
        self._note_idle()
        result, costs, changes = Round({}), {self.name: Cost()}, 0
        for _ in range(WAVES_MAX):
            changes += self._changes
            costs[self.name] += await self._fold()
            wave = await self._wire.wave()
            for helper in helpers:
                answer = await helper.ask(wave)
                costs |= {name: costs.get(name, Cost()) + cost for name, cost in answer.costs.items()}
                result.read += answer.read
                result.written += answer.written
            if not await self._carry_out(wave, load.bad_share):
                edits = sizes_of(self.name, load).edits
                result.parts = {name: Part(changes, edits, cost) for name, cost in costs.items()}
                self._turn_ended = self._spent()
                return result
        raise BenchFailed(f"{self.name}: people do not come to rest under the load {load.name}")

    def check_alike(self) -> None:
        """What was measured must have been the merge."""
        unlike = self._systems.unlike()
        if unlike:
            raise BenchFailed(
                f"{self.name}: {len(unlike)} people are not alike in both systems, {unlike[0]} among them"
            )

    async def _write(self, words: Iterable[Shown | ApplyResult], bad_share: float) -> None:
        self._changes = await self._wire.write(with_bad(map(message_of, words), bad_share))

    async def _carry_out(self, wave: Wave, bad_share: float) -> list[ApplyCommand]:
        """Have the systems do what this wave commanded, and write what they show of it as the next wave."""
        commands = await self._wire.commands(wave)
        if commands:
            await self._write(map(self._systems.carry_out, commands), bad_share)
        return commands

    async def _fold(self) -> Cost:
        """Release the wave that waits; what it took until it was folded."""
        began = self._spent()
        await self._wire.release()
        folded = asyncio.create_task(self._wire.folded())
        try:
            async with asyncio.timeout(WAVE_SECONDS_MAX):
                await self.subject.alive_until(folded)
        except TimeoutError:
            raise BenchFailed(f"{self.name} did not fold {self._changes} changes in {WAVE_SECONDS_MAX:.0f} s") from None
        return self._spent() - began

    def _spent(self) -> Cost:
        return Cost(perf_counter(), self.subject.cpu_seconds())

    def _note_idle(self) -> None:
        if self._turn_ended is not None:
            self.idle += self._spent() - self._turn_ended
