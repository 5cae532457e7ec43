"""The Dynamics connector: its parts, put together."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from schemas.checkpoint import Checkpoint
from streams.connectors.dynamics.applier import Applier
from streams.connectors.dynamics.client import DataverseClient
from streams.connectors.dynamics.feed import Feed
from streams.connectors.dynamics.organisation import InForce, Organisation
from streams.connectors.dynamics.relations import Relations
from streams.connectors.dynamics.telling import Telling
from streams.connectors.dynamics.wakeup import Rhythm, serve_wake_ups
from streams.connectors.journal import Journal
from streams.connectors.lanes import LANES, CommandLane, InHand
from streams.connectors.metrics import ConnectorMetrics
from streams.connectors.options import Options
from streams.connectors.pacing import Pacer
from streams.connectors.settings import DynamicsConnection

BATCH_MAX = 200


class DynamicsConnector:
    """running.Connector for Dynamics. Raises SettingsError where nobody has said where to begin."""

    def __init__(
        self,
        connection: DynamicsConnection,
        options: Options,
        journal: Journal,
        checkpoint: Checkpoint | None,
        policies: InForce,
        metrics: ConnectorMetrics,
    ) -> None:
        self._connection, self._options, self._metrics = connection, options, metrics
        pacer = Pacer(options.pace)
        self.client = DataverseClient(connection, pacer, metrics.called)
        self.organisation = Organisation(self.client, policies)
        relations = Relations(self.client, self.organisation, journal)
        self.telling = Telling(journal, relations, self.client.caller)
        self.feed = Feed(self.client, self.organisation, self.telling, journal, checkpoint, options)
        self.rhythm = Rhythm(self._read, options.busy_seconds, options.idle_seconds)
        in_hand = InHand()
        self.applier = Applier(self.client, self.organisation, relations, self.telling, journal, self._read, in_hand)
        self._lanes = {
            lane: CommandLane(
                journal, lane, self.applier.apply, in_hand, BATCH_MAX, pacer, self.applier.waiting.put_behind
            )
            for lane in LANES
        }

    async def start(self) -> None:
        """Get to know the organisation, and stand at the commands that were not done. Raises SettingsError."""
        await self.organisation.start()
        for lane in self._lanes.values():
            await lane.start()

    def loops(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """The feed, both lanes, the commands and the rows that wait, and whoever wakes the feed."""
        lanes = {f"{name} lane": lane.run() for name, lane in self._lanes.items()}
        wake_ups = serve_wake_ups(self._options, self._connection.webhook_secret, self.rhythm.wake)
        waiting = {"waiting commands": self.applier.run(), "rows put aside": self.telling.run()}
        return {"feed": self.rhythm.run(), "wake-up calls": wake_ups, **waiting, **lanes}

    def waiting_for(self) -> str | None:
        """Dynamics, or that what it holds was read once."""
        if self.client.trouble is not None:
            return f"Dynamics: {self.client.trouble}"
        return None if self.feed.read_to_end else "the first reading of the change feed"

    async def stop(self) -> None:
        """Let go of everything."""
        for lane in self._lanes.values():
            await lane.stop()
        await self.client.close()

    async def _read(self) -> int:
        told = await self.feed.read_once()
        self._metrics.feed_read()
        return told
