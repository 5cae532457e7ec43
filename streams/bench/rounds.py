"""The order of it all: bring people to rest, warm up, then round after round the worker and its rivals in turn."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

from msgspec import Struct

from streams.bench.helper import Cost, Helper
from streams.bench.load import Load
from streams.bench.ranges import Traffic, Wave
from streams.bench.subject import Subject
from streams.bench.systems import Shown, Systems
from streams.bench.wire import Wire
from streams.settings import Settings

SETUP_WAVES_MAX = 10
WAVE_SECONDS_MAX = 600.0
WORKER = "worker_memory"
HELPERS = ("streams.bench.floor", "streams.bench.core")

Say = Callable[[str], None]


class Round(Struct):
    """What one round's changes took, by what was measured; the floor's traffic, which is the worker's."""

    changes: int
    edits: int
    costs: dict[str, Cost]
    read: Traffic = Traffic()
    written: Traffic = Traffic()

    def add(self, costs: dict[str, Cost]) -> None:
        """One wave's costs on top."""
        for name, cost in costs.items():
            self.costs[name] = self.costs.get(name, Cost()) + cost


class Bench:
    """One worker under one load."""

    def __init__(self, load: Load, wire: Wire, worker: Subject) -> None:
        self._load, self._wire, self._worker = load, wire, worker
        self._systems = Systems(load)

    async def bring_to_rest(self) -> None:
        """New leads in Dynamics, and whatever the worker wants done until it wants nothing more."""
        shown: Iterable[Shown] = self._systems.new_leads()
        for _ in range(SETUP_WAVES_MAX):
            _, wave, _ = await self._fold(shown)
            commands = await self._wire.commands(wave)
            if not commands:
                return
            shown = map(self._systems.landing, commands)
        raise AssertionError("people must come to rest")

    async def round(self, number: int, helpers: Iterable[Helper]) -> Round:
        """One round's edits and their landings."""
        result = Round(0, self._load.edits, {})
        shown: Iterable[Shown] = self._systems.edits(number)
        for _ in ("edits", "landings"):
            changes, wave, cost = await self._fold(shown)
            result.changes += changes
            result.add({WORKER: cost})
            for helper in helpers:
                answer = await helper.ask(wave)
                result.add(answer.costs)
                result.read += answer.read
                result.written += answer.written
            shown = map(self._systems.landing, await self._wire.commands(wave))
        return result

    async def _fold(self, shown: Iterable[Shown]) -> tuple[int, Wave, Cost]:
        """Have the worker fold a wave: how many changes it is, where it stands, and what it took."""
        changes = await self._wire.write(shown)
        began, began_cpu = perf_counter(), self._worker.cpu_seconds()
        await self._wire.release()
        async with asyncio.timeout(WAVE_SECONDS_MAX):
            await self._worker.alive_until(asyncio.create_task(self._wire.folded()))
        cost = Cost(perf_counter() - began, self._worker.cpu_seconds() - began_cpu)
        return changes, await self._wire.wave(), cost


async def measure(settings: Settings, load: Load, say: Say, profile: Path | None = None) -> list[Round]:
    """The counted rounds, in topics of their own that are gone afterwards."""
    async with Wire(settings) as wire:
        return await measure_on(wire, settings, load, say, profile)


async def measure_on(wire: Wire, settings: Settings, load: Load, say: Say, profile: Path | None = None) -> list[Round]:
    """The counted rounds, on topics that are there."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadsync-bench-")))
        policy_file = folder / "policy.yaml"
        policy_file.write_text(load.policy_text(), encoding="utf-8")
        worker: Any = await stack.enter_async_context(Subject(settings, policy_file, folder, profile))
        bench = Bench(load, wire, worker)
        say(f"{load.people} people with {load.fields} fields are brought to rest")
        await bench.bring_to_rest()
        helpers = [await stack.enter_async_context(Helper(module, settings, folder)) for module in HELPERS]
        say("warm-up")
        await bench.round(0, helpers)
        worker.begin_profile()
        rounds = []
        for number in range(1, load.rounds + 1):
            say(f"round {number} of {load.rounds}")
            rounds.append(await bench.round(number, helpers))
        return rounds
