"""The simulated world with the real Dynamics connector in it. What Dynamics has shown hangs on what the connector has told."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any, ClassVar

from schemas.vocabulary import DYNAMICS
from streams.demo.record import HeldRecord
from streams.demo.saving import Saving
from streams.simulators.dynamics.app import build_dynamics_app
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.tokens import DynamicsCredentials
from streams.simulators.faults import Faults
from streams.simulators.serving import serving
from streams.sync.messages import ApplyCommand, ApplyResult
from tests.connectors.dynamics.scene import SECRET, TENANT, Scene
from tests.connectors.rest_world import BAD_LINES, RestWorld


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


class DynamicsWorld(RestWorld):
    """Marketo is simulated."""

    system = DYNAMICS
    dynamics: Organisation
    bad_lines: ClassVar[Mapping[str, float]] = {
        **BAD_LINES,
        "server_5xx_after": 0.06,
        "expired_delta": 0.05,
    }

    def place_instance(self, saving: Saving) -> None:
        self.dynamics = Organisation(
            self.policy,
            self.random,
            saving,
            self.oracle,
            clock=lambda: self.now,
            with_our_columns=True,
            reads_show=False,
        )
        self.dynamics.read_by_rest = self.read_by_rest

    async def open_scene(self, stack: AsyncExitStack, faults: Faults) -> Scene:
        credentials = DynamicsCredentials(TENANT, "leadsync", SECRET)
        app = build_dynamics_app(self.dynamics, faults, credentials=credentials)
        address = await stack.enter_async_context(serving(app))
        return await Scene(self.dynamics, faults, app, address, self.policy).start()

    def carried_out(self, command: ApplyCommand, maybe_done: bool) -> Coroutine[Any, Any, list[ApplyResult]]:
        """A command whose outcome stays unknown waits, and is tried again."""
        found: Coroutine[Any, Any, list[ApplyResult]] = self.scene.see_through(command, maybe_done=maybe_done)
        return found

    def note_told(self, record_id: str, version: int | None) -> None:
        self.dynamics.note_told(record_id, version)

    def read_by_rest(self) -> None:
        """Change tracking is read to its end."""
        if self.work(self.scene.read_through()) is not None:
            self.dynamics.unread.clear()
        self.publish_what_was_written()
