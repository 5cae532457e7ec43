"""A Marketo instance behind REST: the simulated Marketo, whose changes go to an activity log instead of a connector's stream.

People of a demo go on using it in process (`create`, `edit`, `delete`, `merge`, `request_sync`); the endpoints do what clients
ask for. Our two fields are `key` and `revision` of a record.
"""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from schemas.source_change import Campaign
from schemas.vocabulary import RecordType
from streams.demo.marketo import SimulatedMarketo
from streams.demo.record import HeldRecord
from streams.demo.saving import Saving
from streams.demo.witness import Witness
from streams.simulators.marketo import listing
from streams.simulators.marketo.activities import (
    CHANGE_DATA_VALUE,
    DELETE_LEAD,
    MERGE_LEADS,
    NEW_LEAD,
    Activity,
    ActivityLog,
)
from streams.simulators.marketo.activity_types import ActivityTypes
from streams.simulators.marketo.asked import CALL_PEOPLE_MAX, SyncCall, asked_by
from streams.simulators.marketo.coercion import in_seconds, moment
from streams.simulators.marketo.fields import KEY_FIELD, REVISION_FIELD, Catalog
from streams.simulators.marketo.flow_steps import FlowSteps
from streams.simulators.marketo.lookup import Lookup
from streams.simulators.marketo.origin import Origin, by_hand
from streams.simulators.marketo.schedule import Schedule
from streams.sync.messages import ApplyCommand, Record, Value
from streams.sync.policy import Policy

FEED_TYPES = (NEW_LEAD, CHANGE_DATA_VALUE, MERGE_LEADS, DELETE_LEAD)
"""What a connector follows."""


class MarketoInstance(SimulatedMarketo):
    """`clock`: seconds since the epoch. `indexing_seconds`: activities show in the feed that long after they happened.

    `with_our_fields`: the two custom fields of leadsync are there from the start. `calls`: how often each endpoint was
    called, by method and path template. `on_read`: told of a record that was just handed to a client, when the fault
    `edited_between` strikes; without it somebody edits a text. `merge_takes_our_fields`: a merge treats our two fields as
    any other, so that a winner without a key gets the loser's. `address`: where clients reach it, learnt from their calls.
    """

    def __init__(
        self,
        policy: Policy,
        rng: random.Random,
        saving: Saving,
        witness: Witness | None = None,
        *,
        clock: Callable[[], float] = time.time,
        with_our_fields: bool = False,
        indexing_seconds: float = 0.0,
        merge_takes_our_fields: bool = False,
    ) -> None:
        super().__init__(policy, rng, saving, witness)
        self.clock, self.indexing_seconds = clock, indexing_seconds
        self.merge_takes_our_fields = merge_takes_our_fields
        self.catalog = Catalog(policy, with_our_fields)
        self.activity_types = ActivityTypes()
        self.schedule, self.flow_steps = Schedule(), FlowSteps()
        self.address: str | None = None
        self.log = ActivityLog()
        self.lookup = Lookup(self.records, self.value_of)
        self.calls: Counter[str] = Counter()
        self.on_read: Callable[[HeldRecord], None] | None = None
        self.on_asked: Callable[[], None] | None = None
        self.asked: deque[SyncCall] = deque()
        self.undelivered: set[str] = set()
        self.created_at: dict[str, float] = {}
        self._origin: Origin | None = None
        self._before: dict[str, Value] = {}
        self._merging: tuple[str, ...] = ()
        self._drained: dict[int, int] = {}
        self._by_hand, self._edited_between, self._runs = 0, 0, 0

    def is_caught_up(self) -> bool:
        """Whether the connector has asked for more of every feed and got nothing, and has been handed every Sync Person."""
        return not self.undelivered and all(
            self.log.last_of(type_id) < self._drained.get(type_id, 0) for type_id in FEED_TYPES
        )

    def note_drained(self, types: Iterable[int], position: int) -> None:
        """The connector asked for these types and was told that there is nothing before this position."""
        for type_id in types:
            self._drained[type_id] = max(position, self._drained.get(type_id, 0))

    def visible_end(self, now: float) -> int:
        """Up to where the log is indexed."""
        return self.log.end if self.indexing_seconds <= 0.0 else self.log.after(now - self.indexing_seconds)

    def value_of(self, held: HeldRecord, name: str) -> Value:
        """What a record holds in a field, in REST's name and spelling."""
        if name == "id":
            return int(held.id)
        if name == KEY_FIELD:
            return held.key
        if name == REVISION_FIELD:
            return held.revision
        if name == "createdAt":
            return in_seconds(self.created_at[held.id])
        if name == "updatedAt":
            updated = moment(held.time)
            return None if updated is None else in_seconds(updated.timestamp())
        return held.values.get(name)

    @contextmanager
    def origin(self, origin: Origin) -> Iterator[None]:
        """Changes made in this block come from there."""
        self._origin = origin
        try:
            yield
        finally:
            self._origin = None

    def enter(self, held: HeldRecord, who: str, values: Mapping[str, Value], now: float) -> dict[str, Value]:
        """A client that is no connector saves a person, our two fields among the others; gives what changed of the others."""
        ours = {name: values[name] for name in (KEY_FIELD, REVISION_FIELD) if name in values}
        if ours:
            self._enter_ours(held, ours, who, now)
        return self.edit(held.id, who, {name: value for name, value in values.items() if name not in ours}, now)

    def merge_all(self, winner: HeldRecord, losers: list[HeldRecord], who: str, now: float) -> None:
        """Merge several persons into one: it takes what it has empty from the first loser that has it."""
        self._merging = tuple(loser.id for loser in losers)
        for loser in losers:
            take = tuple(
                column
                for column, value in loser.values.items()
                if value is not None and winner.values.get(column) is None
            )
            self.merge(loser.id, winner.id, who, now, take)
        self._merging = ()

    def merge(self, loser_id: str, winner_id: str, who: str, now: float, take: tuple[str, ...] = ()) -> None:
        winner, loser = self.records[winner_id], self.records[loser_id]
        super().merge(loser_id, winner_id, who, now, take)
        if self.merge_takes_our_fields and winner.key is None and loser.key is not None:
            self._enter_ours(winner, {KEY_FIELD: loser.key, REVISION_FIELD: loser.revision}, who, now)

    def request_sync(
        self,
        record_id: str,
        who: str,
        now: float,
        campaign: Campaign = "trigger",
        sync_as: RecordType = "lead",
        owner: str | None = None,
        with_view: bool = True,
    ) -> None:
        self.request_sync_all([record_id], who, now, campaign, sync_as, owner, with_view)

    def request_sync_all(
        self,
        record_ids: Iterable[str],
        who: str,
        now: float,
        campaign: Campaign,
        sync_as: RecordType = "lead",
        owner: str | None = None,
        with_view: bool = True,
    ) -> None:
        """A campaign runs on these people: the campaign engine owes the connector a call, or several."""
        people = []
        for record_id in record_ids:
            super().request_sync(record_id, who, now, campaign, sync_as, owner, with_view)
            people.append(asked_by(self.records[record_id], self.announced.pop().change))
        size = 1 if campaign == "trigger" else CALL_PEOPLE_MAX
        for first in range(0, len(people), size):
            self._runs += 1
            call = SyncCall(f"run-{self._runs}", campaign, tuple(people[first : first + size]))
            self.asked.append(call)
            self.undelivered.add(call.run_id)
        if self.on_asked is not None:
            self.on_asked()

    def run_due(self) -> None:
        """Run the batch campaign where it is due, for everybody who has no Microsoft Type yet."""
        now = self.clock()
        column = self._microsoft_type()
        for run in self.schedule.due(now):
            ids = [held.id for held in self.records.values() if column is None or held.values.get(column) is None]
            self.request_sync_all(ids, run.who, now, "batch", run.sync_as, run.owner)

    def _microsoft_type(self) -> str | None:
        rules = self.policy.inbound["person"].items()
        return next((column for column, rule in rules if rule.computed == "record_type"), None)

    def note_activity(
        self,
        type_id: int,
        lead_id: int,
        primary: str,
        attributes: Mapping[str, object],
        happened: float | None = None,
    ) -> Activity:
        """Something that changes no field. It stands in the log where it came in, so that whoever reads on finds it."""
        self.time(self.clock())
        return self.log.add(type_id, lead_id, self._clock, primary=primary, attributes=attributes, happened=happened)

    def announce(self, command: ApplyCommand, held: HeldRecord, now: float) -> None:
        """Nothing: a connector puts `linked` into the stream by itself."""

    def announce_link(self, record_id: str, person_key: str, other: Record, now: float) -> None:
        """A bootstrap pairs two records; it puts `linked` into the stream by itself."""
        held = self.records[record_id]
        self.witness.linked(held, person_key)
        held.person_key = person_key

    def edit_between(self, held: HeldRecord) -> None:
        """Somebody edits a person that a client has just read."""
        if self.on_read is not None:
            self.on_read(held)
            return
        texts = [
            column
            for column, rule in self.policy.inbound["person"].items()
            if rule.type == "text" and rule.direction == "both"
        ]
        self._edited_between += 1
        values: dict[str, Value] = {self.random.choice(texts): f"Edited {self._edited_between}"} if texts else {}
        self.edit(held.id, "marketing@leadsync.example", values, self.clock())

    def _enter_ours(self, held: HeldRecord, ours: Mapping[str, Value], who: str, now: float) -> None:
        self._before = {name: self.value_of(held, name) for name in ours}
        if KEY_FIELD in ours:
            self._enter_key(held, None if ours[KEY_FIELD] is None else str(ours[KEY_FIELD]))
        if REVISION_FIELD in ours:
            revision = ours[REVISION_FIELD]
            held.revision = revision if isinstance(revision, int) else None
        if any(self._before[name] != self.value_of(held, name) for name in ours):
            self._touch(held, who, now)
        self._publish(held, "updated", fields={})

    def _enter_key(self, held: HeldRecord, key: str | None) -> None:
        """A key says whom a record stands for, whoever wrote it there."""
        if held.key is not None and self.by_key.get(held.key) == held.id:
            del self.by_key[held.key]
        held.key = key if key is not None and listing.is_key(key) else None
        person_key = held.keyed_person()
        if held.key is not None and person_key is not None:
            self.by_key[held.key] = held.id
            if person_key != held.person_key:
                self.witness.linked(held, person_key)
                held.person_key = person_key

    def _changed(self, held: HeldRecord, values: Mapping[str, Value]) -> dict[str, Value]:
        changed = super()._changed(held, values)
        self._before = {column: held.values.get(column) for column in changed}
        return changed

    def _take_ours(self, held: HeldRecord, command: ApplyCommand) -> None:
        self._before |= {KEY_FIELD: held.key, REVISION_FIELD: held.revision}
        super()._take_ours(held, command)

    def _publish(self, held: HeldRecord, kind: str, **more: Any) -> None:
        """What is listed of a change: its activities."""
        if self._origin is None:
            self._by_hand += 1
        origin = self._origin or by_hand(held.who, self._by_hand)
        before, self._before = self._before, {}
        if kind == "created":
            self.created_at[held.id] = self._clock
            listing.list_creation(self.log, self.lookup, held, origin, self._clock)
        elif kind == "updated":
            now = {name: self.value_of(held, name) for name in (*more["fields"], *before)}
            listing.list_changes(self.log, self.catalog, self.lookup, held, origin, self._clock, before, now)
        elif kind == "deleted":
            listing.list_deletion(self.log, self.lookup, held, self._clock)
        else:
            losers = self._merging or (held.id,)
            listing.list_merge(self.log, self.lookup, held, more["winner"].id, losers, origin, self._clock)
