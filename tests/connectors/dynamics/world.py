"""The simulated world with the real Dynamics connector in it, over its REST interface: killed at any await, over lines that drop.

Everything else is as in `tests.simulation`: the same people, the same processor, the same oracle. Time stands still while the
connector works, except for the simulator's own faults.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any

from schemas.vocabulary import DYNAMICS, MARKETO
from streams.demo.entering import Inventor
from streams.demo.record import HeldRecord, Published
from streams.simulators.dynamics.app import build_dynamics_app
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.tokens import DynamicsCredentials
from streams.simulators.faults import FaultPlan
from streams.simulators.faults import Faults as RestFaults
from streams.simulators.serving import serving
from streams.sync.messages import ApplyCommand, ApplyResult
from tests.connectors.dynamics.scene import SECRET, TENANT, Scene
from tests.simulation.appliers import Appliers, Queue
from tests.simulation.people import WildCrowd
from tests.simulation.profiles import Faults, Profile
from tests.simulation.telling import told_command as told
from tests.simulation.telling import told_result
from tests.simulation.world import World, _saving

BAD_LINES = {
    "dropped_before": 0.04,
    "dropped_after": 0.1,
    "server_5xx_after": 0.06,
    "edited_between": 0.3,
    "expired_delta": 0.05,
}
TURNS_MAX = 25
"""About how many turns of the loop the connector takes for a command: it is killed within that."""


class Organisation(DynamicsInstance):
    """Its rows are read by the connector, all that there are. What left it and was never told has been shown to nobody."""

    read_by_rest: Callable[[], None]

    def read(self, record_id: str) -> None:
        self.read_by_rest()

    def note_shown(self, held: HeldRecord) -> None:
        """The world says when a row was told."""

    def note_told(self, record_id: str, version: int | None) -> None:
        """This version stands in a stream, or in an answer."""
        held = self.records.get(record_id)
        if held is not None and held.version == version and held.state == "open":
            super().note_shown(held)


class RestAppliers(Appliers):
    """Marketo's applier is simulated, Dynamics' is the connector's."""

    def __init__(self, world: RestWorld) -> None:
        super().__init__(world.marketo, world.dynamics, world.random)
        self._world = world
        self._tried: set[str] = set()

    def work(self, key: Queue, now: float, faults: Faults) -> tuple[str, list[ApplyResult]]:
        if key[0] == MARKETO:
            return super().work(key, now, faults)
        command = self._waiting[key][0]
        maybe_done = command.command_id in self._tried
        self._tried.add(command.command_id)
        results = self._world.apply_by_rest(command, maybe_done)
        if results is None or self.random.random() < faults.again:
            return f"is killed over {told(command)}", []
        self._finish(key, command)
        return f"applies {told(command)} -> {', '.join(map(told_result, results)) or 'landed'}", results


class RestWorld(World):
    """One seed's history. `close` at the end."""

    def __init__(
        self,
        seed: int,
        profile: Profile,
        trace: Callable[[str], None] | None = None,
        shares: Mapping[str, float] = BAD_LINES,
    ) -> None:
        super().__init__(seed, profile, trace)
        saving = _saving(self.policy, profile)
        self.dynamics: Organisation = Organisation(
            self.policy,
            self.random,
            saving[DYNAMICS],
            self.oracle,
            clock=lambda: self.now,
            with_our_columns=True,
            reads_show=False,
        )
        self.dynamics.read_by_rest = self.read_by_rest
        inventor = Inventor(self.policy, self.random, saving, profile.mix.spoiled, profile.few_values)
        self.crowd = WildCrowd(
            self.policy, self.marketo, self.dynamics, self.oracle, inventor, profile.mix, self.random
        )
        self.appliers = RestAppliers(self)
        self._chance = random.Random(f"rest/{profile.name}/{seed}")  # how often it is drawn hangs on the machine
        self._faults = RestFaults(FaultPlan(shares), self._chance)
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.scene: Scene = self._runner.run(self._open())
        self._published = 0

    def close(self) -> None:
        """Let go of the sockets."""
        self._runner.run(self._close())
        self._runner.close()

    async def _open(self) -> Scene:
        credentials = DynamicsCredentials(TENANT, "leadsync", SECRET)
        app = build_dynamics_app(self.dynamics, self._faults, credentials=credentials)
        address = await self._stack.enter_async_context(serving(app))
        return await Scene(self.dynamics, self._faults, app, address, self.policy).start()

    async def _close(self) -> None:
        for client in self.scene.clients:
            await client.close()
        await self._stack.aclose()

    def read_by_rest(self) -> None:
        """Change tracking is read to its end."""
        if self._work(self.scene.feed.read_once()) is not None:
            self.dynamics.unread.clear()
        self._publish_what_was_written()

    def apply_by_rest(self, command: ApplyCommand, maybe_done: bool) -> list[ApplyResult] | None:
        """The connector works on a command; None where it was killed before it could answer."""
        results = self._work(self.scene.apply(command, maybe_done=maybe_done))
        self._publish_what_was_written()
        for result in results or []:
            if result.row is not None:
                self.dynamics.note_told(result.row.record.id, result.row.version)
        return results

    def _work(self, work: Coroutine[Any, Any, Any]) -> Any | None:
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
        self._publish_what_was_written()
        await self.scene.restart()
        self._published = 0
        return None

    def _publish_what_was_written(self) -> None:
        entries = self.scene.journal.entries
        for entry in entries[self._published :]:
            for stream, change in entry.changes:
                self._publish(Published(stream, change))
                self.dynamics.note_told(change.record.id, change.version)
        self._published = len(entries)
