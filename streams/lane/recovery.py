"""Faust's table manager and recovery, reduced to one step: let the lanes assume what was assigned.

Stock recovery reads changelogs through the group's consumer, message by message; resumes the source partitions before
it seeks, and clears the queues afterwards, so that what arrived in between is lost (faust-streaming/faust#596). Here
nothing flows until the lanes have fenced, loaded and sought, and the queues are cleared before that.
"""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from faust.stores import memory
from faust.tables import Table
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from mode import Service

from streams.lane.lanes import SupersededError
from streams.lane.stores import Store

if TYPE_CHECKING:
    from streams.lane.app import LaneApp

log = logging.getLogger(__name__)


class LaneRecovery(Recovery):
    """Waits for assignments and has them assumed, one after the other."""

    app: "LaneApp"

    def _get_tasks(self) -> Iterable[Any]:
        yield self._assume_assignments  # and none of the tasks that read changelogs and print their progress

    @Service.task
    async def _assume_assignments(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):  # type: ignore[arg-type]  # as in Faust itself
                return
            self.signal_recovery_start.clear()
            try:
                with self.app.ending("taking over partitions"):
                    await self._wait(self._assume(self._generation_id))
            except (RebalanceAgain, SupersededError):
                log.info("the group rebalances again; starting over")
            except ServiceStopped:
                return

    async def _assume(self, generation: int) -> None:
        app, consumer = self.app, self.app.consumer
        assignment = consumer.assignment()
        app.flow_control.clear()
        await app.lanes.assume(assignment, generation, consumer.put_at)
        if app.consumer_generation_id != generation:
            raise SupersededError  # the next assignment is on its way here, and nothing has flowed yet
        # No await from the seek to here, or records could flow into an assignment that is no longer ours.
        consumer.resume_partitions(assignment)
        app.flow_control.resume()
        consumer.resume_flow()
        await app._fetcher.maybe_start()
        await self._announce(app.lanes.epoch)

    async def _announce(self, epoch: int) -> None:
        """What Faust expects to be told at the end of a recovery; others, unless the next rebalance has begun by then."""
        self.completed.set()
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        await self.app.on_rebalance_complete.send()
        self.app.on_rebalance_end()
        if self.app.lanes.epoch == epoch:
            self.app.lane_observer.ready(True)
            log.info("ready")


class LaneTable(Table[bytes, bytes]):
    """A Faust table whose changelog and contents are the lanes' business."""

    async def on_start(self) -> None:
        """No topic to declare: changelogs are created beforehand, compacted, like every other topic."""
        await self.add_runtime_dependency(self.data)

    def _new_store(self) -> "LaneStore":
        return LaneStore("memory://", self.app, self, table_name=self.name)


class LaneStore(memory.Store[bytes, bytes]):
    """Shows what the lanes hold of a table. Only a commit changes it, so it takes no writes."""

    def _held(self) -> Iterable[Store]:
        return cast("LaneApp", self.app).lanes.table(self.table_name).values()

    def __getitem__(self, key: bytes) -> bytes:
        for store in self._held():
            if (value := store.get(key)) is not None:
                return value
        raise KeyError(key)

    def __setitem__(self, key: bytes, value: bytes) -> None:
        raise TypeError(f"table {self.table_name}: return writes from the agent instead")

    def __len__(self) -> int:
        return sum(map(len, self._held()))


class LaneTableManager(TableManager):
    """Starts at once, and keeps the changelogs out of the group's subscription."""

    app: "LaneApp"

    @property
    def recovery(self) -> LaneRecovery:
        if self._recovery is None:
            self._recovery = LaneRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return cast(LaneRecovery, self._recovery)

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()

    async def _update_channels(self) -> None:
        self._tables_finalized.set()
        for table in self.values():
            await table.maybe_start()
        self._tables_registered.set()
