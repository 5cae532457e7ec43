"""The Marketo connector, put together: the feed, both command lanes, the activity log and the server for Sync Person."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Coroutine, Mapping
from typing import Any

from schemas.checkpoint import Checkpoint
from streams.connectors.journal import Journal
from streams.connectors.lanes import LANES, CommandLane, InHand
from streams.connectors.marketo.activities import ActivityLane
from streams.connectors.marketo.applier import Applier
from streams.connectors.marketo.callbacks import Callbacks
from streams.connectors.marketo.client import MarketoClient
from streams.connectors.marketo.columns import Columns
from streams.connectors.marketo.feed import Feed, read_at
from streams.connectors.marketo.late_writes import LateWrites
from streams.connectors.marketo.names import LEADS_MAX
from streams.connectors.marketo.patience import Patience
from streams.connectors.marketo.persons_now import persons_in
from streams.connectors.marketo.requests import SyncPersonServer
from streams.connectors.metrics import ConnectorMetrics
from streams.connectors.options import Options
from streams.connectors.pacing import Pacer
from streams.connectors.rest import Rest
from streams.connectors.settings import MarketoConnection, tls_context
from streams.policies import PolicyBook

log = logging.getLogger(__name__)


class MarketoConnector:
    """As `running.Connector` wants it. `kinds`: which activities go to Marketo."""

    def __init__(
        self,
        connection: MarketoConnection,
        options: Options,
        kinds: frozenset[str],
        journal: Journal,
        checkpoint: Checkpoint | None,
        policies: PolicyBook,
        metrics: ConnectorMetrics,
    ) -> None:
        rng = random.Random()
        pacer = Pacer(options.pace)
        self._client = MarketoClient(
            connection,
            pacer,
            metrics.called,
            rng=rng,
            quota_pause_seconds_max=options.quota_pause_seconds_max,
        )
        self._columns = Columns(self._client, policies)
        late = LateWrites(time.time)
        self.feed = Feed(self._client, journal, checkpoint, self._columns, metrics, options, late)
        patience = Patience(rng)
        applier = Applier(
            self._client,
            journal,
            patience,
            columns=self._columns.mapped,
            expect=self.feed.expect,
            late=late,
            now=time.time,
            last_read=read_at(checkpoint),
        )
        in_hand = InHand()
        self._lanes = {lane: CommandLane(journal, lane, applier.apply, in_hand, LEADS_MAX, pacer) for lane in LANES}
        self._activities = ActivityLane(journal, self._client, metrics, patience, kinds)
        self._calling_back = Rest(tls_context(connection.ca_file), 1)
        self._server = None
        if options.listen_port is not None and (secret := connection.webhook_secret) is not None:
            callbacks = Callbacks(self._calling_back, patience)
            columns = self._columns.mapped
            persons_of = persons_in(self._client)
            self._server = SyncPersonServer(journal, secret, columns, persons_of, callbacks, options)
        self._is_started = False

    async def start(self) -> None:
        """Get to know the fields, and stand where the feeds were left. Raises SettingsError for what somebody has to set up."""
        await self._columns.current()
        await self.feed.start()
        for lane in self._lanes.values():
            await lane.start()
        await self._activities.start()
        if self._server is not None:
            await self._server.start()
        self._is_started = True

    def loops(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What runs until the end, by name."""
        lanes = {f"{name} lane": lane.run() for name, lane in self._lanes.items()}
        loops = {"feed": self.feed.run(), **lanes, "activity log": self._activities.run()}
        return loops if self._server is None else {**loops, "callbacks": self._server.run()}

    def waiting_for(self) -> str | None:
        """What is awaited before it is ready; None when it is."""
        if not self._is_started:
            return "the connection to Marketo"
        return None if self.feed.was_read else "the end of Marketo's change feed"

    async def stop(self) -> None:
        """Let go of everything."""
        if self._server is not None:
            await self._server.stop()
        for lane in self._lanes.values():
            await lane.stop()
        await self._activities.stop()
        await self._client.close()
        await self._calling_back.close()
