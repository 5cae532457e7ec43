"""The simulated world with the real Marketo connector in it. Sync Person is asked of its journal: the calls have tests of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, ClassVar

import msgspec

from schemas.vocabulary import MARKETO
from streams.connectors.journal import Entry, StreamChange
from streams.connectors.marketo.late_writes import LATE_SECONDS
from streams.demo.marketo import SimulatedMarketo
from streams.demo.record import Published
from streams.demo.saving import Saving
from streams.simulators.faults import Faults
from streams.simulators.marketo.app import METER, build_marketo_app
from streams.simulators.marketo.coercion import in_seconds, moment
from streams.simulators.marketo.instance import MarketoInstance
from streams.simulators.marketo.limits import Limits
from streams.simulators.marketo.origin import by_api
from streams.simulators.serving import serving
from streams.sync.messages import ApplyCommand
from tests.connectors.marketo.scene import Scene
from tests.connectors.rest_world import BAD_LINES, RestWorld
from tests.simulators.marketo.served import CONNECTOR, Clock, Recording, Served

AMPLE = Limits(window_calls=1_000_000, daily_calls=1_000_000)


class Unread(deque[Published]):
    """There is something in it while the connector has not read its feeds to their end."""

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self._instance = instance
        self.may_be_lost = False  # with the connector that had read it
        self.is_held = False  # by the connector, for what the feed has yet to list

    def __bool__(self) -> bool:
        return self.may_be_lost or self.is_held or not self._instance.is_caught_up()


class Instance(MarketoInstance):
    """Its feeds are read by the connector."""

    feed: Unread

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.feed = Unread(self)

    def request_sync(self, *arguments: Any, **more: Any) -> None:
        """With the time that REST gives: in whole seconds, as in the feeds."""
        SimulatedMarketo.request_sync(self, *arguments, **more)
        stream, change = self.announced.pop()
        time = moment(change.updated_at)
        updated_at = None if time is None else in_seconds(time.timestamp())
        self.announced.append(Published(stream, msgspec.structs.replace(change, updated_at=updated_at)))

    def announce_link(self, *arguments: Any, **more: Any) -> None:
        SimulatedMarketo.announce_link(self, *arguments, **more)


class WorldClock(Clock):
    """The world's time."""

    def __init__(self, world: MarketoWorld) -> None:
        self._world = world

    @property
    def now(self) -> float:  # type: ignore[override]
        return self._world.now


class MarketoWorld(RestWorld):
    """Dynamics is simulated."""

    system = MARKETO
    marketo: Instance
    indexing_seconds: ClassVar[float] = 0.0
    bad_lines: ClassVar[Mapping[str, float]] = {
        **BAD_LINES,
        "timeout_604_after": 0.06,
        "token_602": 0.03,
        "empty_page": 0.1,
        "repeated_activity": 0.1,
    }

    def place_instance(self, saving: Saving) -> None:
        self.clock = WorldClock(self)
        self.marketo = Instance(
            self.policy,
            self.random,
            saving,
            self.oracle,
            clock=self.clock,
            with_our_fields=True,
            indexing_seconds=self.indexing_seconds,
        )

    async def open_scene(self, stack: AsyncExitStack, faults: Faults) -> Scene:
        app = build_marketo_app(self.marketo, faults, credentials=CONNECTOR, others=[], limits=AMPLE)
        url = await stack.enter_async_context(serving(app))
        return await Scene(Served(self.marketo, faults, self.clock, Recording(), url, app[METER])).start()

    def read_marketo(self) -> None:
        """The feeds are read to their end."""
        if self.work(self._read()) is not None:
            self.marketo.feed.may_be_lost = False
            self.marketo.feed.is_held = self.scene.holds_entries
        self.publish_what_was_written()

    def announce(self) -> None:
        """A request of somebody who is known to be gone is left out, as the journal does."""
        while self.marketo.announced:
            published = self.marketo.announced.popleft()
            if published.change.kind == "requested":
                self._runner.run(self.scene.journal.write(Entry(asked=(StreamChange(*published),))))
            else:
                self._publish(published)
        self.publish_what_was_written()
        super().announce()

    def write_late(self) -> None:
        """And it shows before the connector can die: who comes after it knows of no call that was lost and settled before."""
        with self.marketo.origin(by_api(CONNECTOR.user, "syncLeads", f"late#{self.steps}")):
            super().write_late()
        self.now += self.indexing_seconds
        self._runner.run(self._read())
        self.publish_what_was_written()

    def may_be_late(self, command: ApplyCommand) -> bool:
        """For an hour, and as long as the connector lives that saw it: who comes after it does not know what was settled before."""
        lost = self.scene.late._lost.get("" if command.record is None else command.record.id, [])
        since = self.now - LATE_SECONDS
        return any(at >= since and each.command_id == command.command_id for at, each in lost)

    def note_restarted(self) -> None:
        self.marketo.feed.may_be_lost = True

    async def _read(self) -> bool:
        while await self.scene.feed.poll() or not self.scene.feed.is_read:
            pass
        return True
