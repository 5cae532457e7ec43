"""From `activity-log` into the log of the person in Marketo, where a marketer looks for what failed (domain, 1.1, L8; scenario 55).

Background work: nothing waits for it, and it waits for everything. An entry is written until it is written; where nobody knows
whether a call came through, the log is read before it is repeated, since an entry can neither be changed nor taken back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, get_args

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.activity import ActivityKind
from streams.codec import Unreadable, decode_activity
from streams.connectors.journal import Entry, Journal
from streams.connectors.lanes import stand_at_committed
from streams.connectors.marketo.activity_entries import entry_of, ids_in, probe_of
from streams.connectors.marketo.client import LEAD_IDS_MAX, Json, MarketoClient, batches
from streams.connectors.marketo.names import ACTIVITY_API_NAME
from streams.connectors.marketo.patience import Patience
from streams.connectors.marketo.sending import Rounds
from streams.connectors.metrics import ConnectorMetrics
from streams.connectors.pacing import Priority
from streams.connectors.rest import Refused
from streams.connectors.times import rfc3339
from streams.settings import SettingsError
from streams.sync.messages import Activity

log = logging.getLogger(__name__)

POLL_MS = 1_000
BATCH_MAX = 300
GATHER_SECONDS = 3.0
"""What comes within it travels in one call: nobody waits for these entries, and calls are few."""
PAGES_MAX = 50
LOOK_SECONDS = 3_600.0
"""How often a missing activity type is looked for again."""

SKEW_SECONDS = 60.0
FORMER_SECONDS = 3_600.0
KINDS_VARIABLE = "LEADSYNC_MARKETO_ACTIVITIES"
KINDS = "failed,closed"


def kinds_of(environment: Mapping[str, str]) -> frozenset[str]:
    """Which kinds of activities go to Marketo. Raises SettingsError for one that there is not."""
    text = environment.get(KINDS_VARIABLE, KINDS)
    kinds = frozenset(each.strip() for each in text.split(",") if each.strip())
    if unknown := kinds - {*get_args(ActivityKind)}:
        raise SettingsError(
            f"{KINDS_VARIABLE} names {', '.join(sorted(unknown))}; there are {', '.join(get_args(ActivityKind))}"
        )
    return kinds


class ActivityLane:
    """`start`, then `run` in a task. `skipped` counts entries of people who have no living record in Marketo."""

    def __init__(
        self,
        journal: Journal,
        client: MarketoClient,
        metrics: ConnectorMetrics,
        patience: Patience,
        kinds: frozenset[str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._journal, self._client, self._metrics, self._patience = journal, client, metrics, patience
        self._kinds, self._now = kinds, now
        self._type: Json | None = None
        self._is_missed = False
        self._topic = journal.settings.topic("activity-log")
        self._may_be_done: dict[TopicPartition, int] = {}
        self.skipped = 0
        self._consumer: Any = None

    async def start(self) -> None:
        """Stand at what was committed."""
        settings = self._journal.settings
        self._consumer = AIOKafkaConsumer(
            **settings.client("connector-marketo-activities"),
            group_id=self._journal.group,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        await self._consumer.start()
        self._may_be_done = await stand_at_committed(self._consumer, self._topic)

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def run(self) -> None:
        """Until cancelled. What is not written yet waits on its topic. Raises what the journal raises."""
        while await self.known_type() is None:
            await self._patience.sleep(LOOK_SECONDS)
        while True:
            await self._patience.sleep(GATHER_SECONDS)
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_MAX)
            records = [record for each in fetched.values() for record in each]
            if records:
                # Where we are, before anything is done: whoever has a successor learns it here, and writes no entry twice.
                at = {TopicPartition(each.topic, each.partition): each.offset for each in reversed(records)}
                await self._journal.write(Entry(offsets=at))
                await self.write(self._wanted(records), any(self._is_maybe_done(record) for record in records))
                offsets = {TopicPartition(each.topic, each.partition): each.offset + 1 for each in records}
                await self._journal.write(Entry(offsets=offsets))

    async def write(self, activities: Sequence[Activity], maybe_done: bool = False) -> None:
        """Write them into their people's logs, however long it takes."""
        told = await self.known_type() if activities else None
        if told is None:
            return
        left = {each.activity_id: entry for each in activities if (entry := self._entry(each, told)) is not None}
        probe = probe_of(told, rfc3339(self._now()))
        takes_entries = partial(self._client.takes_activities, probe, Priority.BACKGROUND)
        rounds, is_doubtful = Rounds(self._add, takes_entries, self._patience), maybe_done
        while left:
            try:
                if is_doubtful:
                    await self._leave_out_written(left, int(told["id"]), maybe_done)
                await self._send(left, rounds)
            except Refused as error:
                log.error("entries of people's logs are not taken, and are tried again: %s", error)
            is_doubtful = True
            if left:
                await rounds.pause()

    async def _add(self, records: Sequence[Mapping[str, Any]]) -> list[Json]:
        return await self._client.add_custom_activities(records, Priority.BACKGROUND)

    async def _send(self, left: dict[str, Json], rounds: Rounds) -> None:
        for activity_id, verdict in (await rounds.sent(left)).items():
            if verdict.outcome == "unsure":
                continue
            del left[activity_id]
            if verdict.outcome == "done":
                self._metrics.logged(1)
            else:
                self.skipped += 1
                log.error("activity %s is not taken: %s: %s", activity_id, verdict.code, verdict.message)

    async def _leave_out_written(self, left: dict[str, Json], type_id: int, maybe_done: bool) -> None:
        """Those that stand in the log already. It is in the order of what the entries tell of, which may be long ago."""
        tried = rfc3339(self._now() - (FORMER_SECONDS if maybe_done else SKEW_SECONDS))
        since = min(tried, *(str(each["activityDate"]) for each in left.values()))
        token = await self._client.paging_token(since, Priority.BACKGROUND)
        leads = sorted({str(entry["leadId"]) for entry in left.values()})
        for some in batches(leads, LEAD_IDS_MAX):
            async for page in self._pages(token, type_id, some):
                for activity_id in ids_in(page) & left.keys():
                    del left[activity_id]
                    self._metrics.logged(1)

    async def _pages(self, token: str, type_id: int, leads: Sequence[str]) -> Any:
        for _ in range(PAGES_MAX):
            page = await self._client.activities(token, (type_id,), leads, Priority.BACKGROUND)
            yield page.get("result") or []
            token = page["nextPageToken"]
            if not page.get("moreResult"):
                return

    def _entry(self, activity: Activity, told: Json) -> Json | None:
        record = self._journal.known.of_person(activity.person_key)
        if record is None:
            self.skipped += 1
            return None
        return entry_of(activity, record.record.id, told, rfc3339(self._now()))

    def _wanted(self, records: Sequence[Any]) -> list[Activity]:
        wanted: list[Activity] = []
        for record in records:
            try:
                activity = decode_activity(record.value)
            except Unreadable as error:
                log.error("%s[%d]@%d: %s", record.topic, record.partition, record.offset, error)
                continue
            if activity.kind in self._kinds:
                wanted.append(activity)
        return wanted

    async def known_type(self) -> Json | None:
        """The custom activity type; None, said once, while Marketo has none that is approved."""
        if self._type is None:
            try:
                self._type = await self._find_type()
            except Refused as error:
                log.error("Marketo does not say which activity types it has; failures wait for it: %s", error)
        return self._type

    async def _find_type(self) -> Json | None:
        types = await self._client.custom_activity_types(Priority.BACKGROUND)
        if any(each.get("apiName") == ACTIVITY_API_NAME and each.get("status") != "draft" for each in types):
            return await self._client.describe_custom_activity_type(ACTIVITY_API_NAME)
        if not self._is_missed:
            self._is_missed = True
            log.warning(
                "Marketo has no approved activity type %s: failures are written into people's logs once "
                "`leadsync setup` has made it",
                ACTIVITY_API_NAME,
            )
        return None

    def _is_maybe_done(self, record: Any) -> bool:
        return bool(record.offset < self._may_be_done.get(TopicPartition(record.topic, record.partition), 0))
