"""The simulated world with a real connector in it, over its system's REST interface: killed at any await, over lines that drop.

Everything else is as in `tests.simulation`: the same people, the same processor, the same oracle. Time stands still while the
connector works, except for the simulator's own faults.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, ClassVar

from schemas.vocabulary import System
from streams.demo.entering import Inventor
from streams.demo.record import Published
from streams.demo.saving import Saving
from streams.simulators.faults import FaultPlan
from streams.simulators.faults import Faults as RestFaults
from streams.sync.messages import ApplyCommand, ApplyResult
from tests.simulation.appliers import Appliers, Queue
from tests.simulation.findings import Finding
from tests.simulation.people import WildCrowd
from tests.simulation.profiles import PROFILES, Faults, Profile
from tests.simulation.telling import told_command as told
from tests.simulation.telling import told_result
from tests.simulation.world import World, _saving

BAD_LINES = {"dropped_before": 0.04, "dropped_after": 0.1, "edited_between": 0.3}
"""What goes wrong between a connector and either system; each system has more."""

TURNS_MAX = 25
"""About how many turns of the loop a connector takes for a command: it is killed within that."""


class RestAppliers(Appliers):
    """One system's applier is the connector's, the other's is simulated."""

    def __init__(self, world: RestWorld) -> None:
        super().__init__(world.marketo, world.dynamics, world.random)
        self._world = world
        self._tried: set[str] = set()

    def late(self) -> Sequence[ApplyCommand]:
        """Only where an earlier try may still be under way."""
        return [each for each in super().late() if each.system != self._world.system or self._world.may_be_late(each)]

    def work(self, queue: Queue, now: float, faults: Faults) -> tuple[str, list[ApplyResult]]:
        if queue[0] != self._world.system:
            return super().work(queue, now, faults)
        command = self._waiting[queue][0]
        maybe_done = command.command_id in self._tried
        self._tried.add(command.command_id)
        results = self._world.apply_by_rest(command, maybe_done)
        if results is None or self.random.random() < faults.again:
            return f"is killed over {told(command)}", []
        self._finish(queue, command)
        return f"applies {told(command)} -> {', '.join(map(told_result, results)) or 'landed'}", results


class RestWorld(World):
    """One seed's history. `close` at the end. A subclass says which system it is and how its instance and its scene are made."""

    system: System
    bad_lines: ClassVar[Mapping[str, float]]

    def __init__(
        self,
        seed: int,
        profile: Profile,
        trace: Callable[[str], None] | None = None,
        shares: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(seed, profile, trace)
        saving = _saving(self.policy, profile)
        self.place_instance(saving[self.system])
        inventor = Inventor(self.policy, self.random, saving, profile.mix.spoiled, profile.few_values)
        self.crowd = WildCrowd(
            self.policy, self.marketo, self.dynamics, self.oracle, inventor, profile.mix, self.random
        )
        self.appliers = RestAppliers(self)
        self._chance = random.Random(f"rest/{profile.name}/{seed}")  # how often it is drawn hangs on the machine
        self._faults = RestFaults(FaultPlan(self.bad_lines if shares is None else shares), self._chance)
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.scene: Any = self._runner.run(self.open_scene(self._stack, self._faults))
        self._published = 0

    def place_instance(self, saving: Saving) -> None:
        """Put the system that is served in its place."""
        raise NotImplementedError

    async def open_scene(self, stack: AsyncExitStack, faults: RestFaults) -> Any:
        """Serve it, and put a connector before it."""
        raise NotImplementedError

    def note_told(self, record_id: str, version: int | None) -> None:
        """This version of a record stands in a stream, or in an answer."""

    def may_be_late(self, command: ApplyCommand) -> bool:
        """Whether a try of this command was left without an answer."""
        raise NotImplementedError

    def note_restarted(self) -> None:
        """The connector begins where its journal ends."""

    def close(self) -> None:
        """Let go of the sockets."""
        self._runner.run(self._close())
        self._runner.close()

    async def _close(self) -> None:
        for client in self.scene.clients:
            await client.close()
        await self._stack.aclose()

    def apply_by_rest(self, command: ApplyCommand, maybe_done: bool) -> list[ApplyResult] | None:
        """The connector works on a command; None where it was killed before it could answer."""
        results: list[ApplyResult] | None = self.work(self.carried_out(command, maybe_done))
        self.publish_what_was_written()
        for result in results or []:
            if result.row is not None:
                self.note_told(result.row.record.id, result.row.version)
        return results

    def carried_out(self, command: ApplyCommand, maybe_done: bool) -> Coroutine[Any, Any, list[ApplyResult]]:
        """What the connector does about a command, to its end."""
        found: Coroutine[Any, Any, list[ApplyResult]] = self.scene.apply(command, maybe_done=maybe_done)
        return found

    def work(self, work: Coroutine[Any, Any, Any]) -> Any | None:
        """What the connector does; None where it was killed meanwhile."""
        return self._runner.run(self._killed_or_done(work))

    async def _killed_or_done(self, work: Coroutine[Any, Any, Any]) -> Any | None:
        if self.random.random() >= self.faults.crashes:
            return await work
        task = asyncio.ensure_future(work)
        for _ in range(self._chance.randint(1, TURNS_MAX)):
            if not task.done():
                await asyncio.sleep(0)
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.publish_what_was_written()
        await self.scene.restart()
        self.note_restarted()
        self._published = 0
        return None

    def publish_what_was_written(self) -> None:
        """What the connector's journal holds is on the topics."""
        entries = self.scene.journal.entries
        for entry in entries[self._published :]:
            for stream, change in entry.changes:
                self._publish(Published(stream, change))
                self.note_told(change.record.id, change.version)
        self._published = len(entries)


def lived(world: RestWorld) -> list[Finding]:
    """What is wrong with it."""
    try:
        return world.run()
    finally:
        world.close()


def main(kind: type[RestWorld]) -> int:
    """Run seeds: `--seeds 100 --profile life`; one told: `--first 7 --seeds 1 --trace`.

    A world hangs on how the machine schedules its sockets, a little: a seed that failed once may need another run.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--profile", action="append", choices=sorted(PROFILES))
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    failed = 0
    for name in options.profile or PROFILES:
        found = {
            seed: _found(kind, name, seed, options.trace)
            for seed in range(options.first, options.first + options.seeds)
        }
        wrong = {seed: texts for seed, texts in found.items() if texts}
        failed += len(wrong)
        print(f"{name:12} {len(found) - len(wrong):5} of {len(found)} right", flush=True)
        for seed, texts in wrong.items():
            print(f"  --first {seed}: {texts[0]}", flush=True)
    return bool(failed)


def _found(kind: type[RestWorld], name: str, seed: int, trace: bool) -> list[str]:
    try:
        return [str(each) for each in lived(kind(seed, PROFILES[name], print if trace else None))]
    except Exception as error:  # a seed must be named whatever happens in it
        return [f"raised {type(error).__name__}: {error}"]
