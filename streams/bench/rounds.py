"""The order of it all: load by load bring people to rest, warm up, then round after round everybody in turn."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from streams.bench.cost import Cost
from streams.bench.helper import Helper
from streams.bench.load import Load
from streams.bench.plan import Plan
from streams.bench.play import Play, Round
from streams.bench.subjects import HELPERS, ROCKSDB, WORKER, Start, subject_of
from streams.bench.wire import Wire
from streams.settings import Settings

Say = Callable[[str], None]


class Measured(Struct):
    """The counted rounds of each load, and what each subject took while others were measured."""

    rounds: dict[str, list[Round]] = {}
    idle: dict[str, Cost] = {}


class World(NamedTuple):
    """Whose people these are, how many, of how many fields: what a subject keeps from load to load."""

    subject: str
    people: int
    fields: int


class Bench:
    """All that is measured, one load after the other."""

    def __init__(
        self, settings: Settings, plan: Plan, say: Say, profile: Path | None, wire: Callable[[Settings], Wire] = Wire
    ) -> None:
        self._settings, self._plan, self._say, self._profile, self._wire = settings, plan, say, profile, wire
        self._folder = Path()
        self._plays: dict[World, tuple[Play, AsyncExitStack]] = {}
        self._measured = Measured({}, {})

    async def run(self) -> Measured:
        """Everything; nothing is left on the broker."""
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadsync-bench-")))
            try:
                for number, load in enumerate(self._plan.loads):
                    plays = await self._plays_of(load)
                    self._measured.rounds[load.name] = await self._rounds(load, plays)
                    await self._close(self._worlds(self._plan.loads[number + 1 :]))
            finally:
                await self._close(())
        return self._measured

    def _worlds(self, loads: Iterable[Load]) -> list[World]:
        return [World(name, load.people, load.fields) for load in loads for name in self._plan.subjects(load)]

    async def _plays_of(self, load: Load) -> list[Play]:
        """Those that this load measures, with people at rest."""
        wanted = self._worlds([load])
        new = [await self._open(world, load) for world in wanted if world not in self._plays]
        if new:
            names = ", ".join(play.name for play in new)
            self._say(f"{load.people} people with {load.fields} fields are brought to rest: {names}")
            await asyncio.gather(*(play.bring_to_rest() for play in new))
        return [self._plays[world][0] for world in wanted]

    async def _open(self, world: World, load: Load) -> Play:
        name, folder = world.subject, self._folder / "-".join(map(str, world))
        folder.mkdir()
        settings = self._settings_of(world)
        start = Start(settings, folder / "policy.yaml", folder, self._profile if self._is_profiled(name) else None)
        start.policy_file.write_text(load.policy_text(), encoding="utf-8")
        async with AsyncExitStack() as stack:
            wire = await stack.enter_async_context(self._wire(settings))
            subject = await stack.enter_async_context(subject_of(name, start))
            play = Play(load, wire, subject)
            self._plays[world] = play, stack.pop_all()
        return play

    def _settings_of(self, world: World) -> Settings:
        return Settings(
            self._settings.bootstrap_servers,
            f"{self._settings.prefix}{'-'.join(map(str, world))}.",
            security=self._settings.security,
        )

    def _is_profiled(self, name: str) -> bool:
        there = {each for load in self._plan.loads for each in self._plan.subjects(load)}
        return name == (WORKER if WORKER in there else ROCKSDB)

    async def _close(self, wanted: Iterable[World]) -> None:
        """Let go of the plays that no later load wants."""
        over = self._plays.keys() - set(wanted)
        for world in over:
            play, stack = self._plays.pop(world)
            self._measured.idle[world.subject] = self._measured.idle.get(world.subject, Cost()) + play.idle
            await stack.aclose()

    async def _rounds(self, load: Load, plays: list[Play]) -> list[Round]:
        rounds = []
        async with AsyncExitStack() as stack:
            helpers = await self._helpers(load, stack)
            for number in range(load.rounds + 1):
                self._say(f"{load.name}: " + (f"round {number} of {load.rounds}" if number else "warm-up"))
                one = await self._round(load, plays, helpers, number)
                if number:
                    rounds.append(one)
                else:
                    for play in plays:
                        play.subject.begin_profile()
        for play in plays:
            play.check_alike()
        return rounds

    async def _helpers(self, load: Load, stack: AsyncExitStack) -> list[Helper]:
        """Started for each load: whatever they keep, they take from what the worker has committed by now."""
        measured = self._plan.measured[load.name]
        modules = [module for module, names in HELPERS.items() if set(names) & set(measured)]
        world = World(WORKER, load.people, load.fields)
        return [
            await stack.enter_async_context(Helper(each, self._settings_of(world), self._folder)) for each in modules
        ]

    async def _round(self, load: Load, plays: list[Play], helpers: list[Helper], number: int) -> Round:
        """Everybody in turn, and somebody else first each time."""
        if load.backlog:
            self._say(f"{load.name}: everybody is sent away")
            await asyncio.gather(*(play.prepare(load, number) for play in plays))
        measured = self._plan.measured[load.name]  # a helper may measure more than was asked for, and need the worker
        whole, first = Round({}), number % len(plays)
        for play in plays[first:] + plays[:first]:
            if not load.backlog:
                await play.prepare(load, number)
            one = await play.round(load, helpers if play.name == WORKER else ())
            whole.parts |= {name: part for name, part in one.parts.items() if name in measured}
            whole.read += one.read
            whole.written += one.written
        return whole


async def measure(settings: Settings, plan: Plan, say: Say, profile: Path | None = None) -> Measured:
    """The counted rounds, in topics that are gone afterwards."""
    return await Bench(settings, plan, say, profile).run()
