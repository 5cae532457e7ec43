"""Dynamics 365, simulated: leads, contacts, who edits them, and a change tracking that shows rows as they are when read.

What was overwritten between two reads is never seen. A lead that was qualified or merged stays, closed; its last row shows
only that (`converted`, `merged`). A contact that came from a lead goes on in the lead's stream, and its row may be read before
the lead's. Row versions are one counter of the whole organisation.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from schemas.identity import person_key_of
from schemas.vocabulary import DYNAMICS, OURSELVES, RecordType
from streams.demo.record import HeldRecord, Published
from streams.demo.saving import Saving
from streams.demo.system import SimulatedSystem
from streams.demo.witness import Witness
from streams.sync.messages import ApplyCommand, Record, SourceChange, Value
from streams.sync.policy import Policy

CONTACT_FIRST_SHARE = 0.4
"""How often a new contact's row is read before the lead's."""


class SimulatedDynamics(SimulatedSystem):
    """Dynamics leads and contacts. `unread`: ids whose row changed since it was read, the longest waiting first."""

    system = DYNAMICS

    def __init__(self, policy: Policy, rng: random.Random, saving: Saving, witness: Witness | None = None) -> None:
        super().__init__(policy, rng, saving, witness)
        self.unread: dict[str, None] = {}
        self._organisation_version = 1000
        self._tombstones: dict[str, HeldRecord] = {}
        self._closed_by: dict[str, HeldRecord] = {}  # lead -> its contact, or the winner of a merge
        self._contact_columns = _contact_columns(policy)

    def create(self, kind: RecordType, who: str, values: Mapping[str, Value], now: float) -> HeldRecord:
        """A person types in a lead or contact."""
        record_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        held = self._new(
            Record(DYNAMICS, kind, record_id), record_id, person_key_of(DYNAMICS, record_id), values, who, now
        )
        self.unread[record_id] = None
        self.witness.created(held, held.values, None)
        return held

    def create_by(self, command: ApplyCommand, now: float) -> HeldRecord:
        """A command makes a lead under the id that it names."""
        record = command.record
        assert record is not None, "a create in Dynamics names the record to create"
        values = dict(command.fields or {})
        if command.owner is not None:
            values["ownerid"] = command.owner
        held = self._new(record, record.id, command.person_key, values, OURSELVES, now)
        self._take_ours(held, command)
        self.unread[record.id] = None
        self.witness.created(held, {}, command)
        return held

    def delete(self, record_id: str, who: str, now: float) -> None:
        """A person deletes a record; change tracking will say so, even of one that it never showed."""
        held = self.records.pop(record_id)
        was_open = held.state == "open"
        self._touch(held, who, now)
        self.gone[record_id] = "deleted"
        self._tombstones[record_id] = held
        if was_open:
            self.witness.deleted(held)

    def merge(self, loser_id: str, winner_id: str, who: str, now: float, take: tuple[str, ...] = ()) -> None:
        """A person merges two records, taking these columns from the loser; the loser is deactivated, not deleted."""
        loser, winner = self.records[loser_id], self.records[winner_id]
        loser.state = "deactivated"
        self.gone[loser_id] = "closed"
        self._closed_by[loser_id] = winner
        self._touch(loser, who, now)
        self.witness.merged(loser, winner)
        self.edit(winner_id, who, {column: loser.values.get(column) for column in take}, now)

    def qualify(self, lead_id: str, who: str, now: float) -> HeldRecord:
        """The lead is closed and a contact, with no account, made of its values."""
        lead = self.records[lead_id]
        lead.state = "qualified"
        self.gone[lead_id] = "closed"
        self._touch(lead, who, now)
        contact_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        copied = {to: lead.values[column] for column, to in self._contact_columns.items() if column in lead.values}
        record = Record(DYNAMICS, "contact", contact_id)
        contact = self._new(record, lead.stream, lead.person_key, copied, who, now)
        self._closed_by[lead_id] = contact
        self._queue_contact(lead_id, contact_id)
        self.witness.converted(lead, contact)
        return contact

    def contact_of(self, lead_id: str) -> HeldRecord | None:
        """The contact that a qualified lead became."""
        held = self.records.get(lead_id)
        return self._closed_by[lead_id] if held is not None and held.state == "qualified" else None

    def read(self, record_id: str) -> None:
        """Change tracking comes by: what this record shows now goes to the feed."""
        if self.unread.pop(record_id, 0) == 0:
            return
        held = self._tombstones.pop(record_id, None)
        if held is not None:
            if held.stream != record_id:
                self.read(held.stream)  # that the lead became this contact is told before the contact is no more
            self._publish(held, "deleted", person_key=None, creation=None)
            return
        held = self.records[record_id]
        _READ[held.state](self, held)

    def read_all(self, records_max: int | None = None) -> None:
        """Read what has waited longest."""
        for record_id in list(self.unread)[:records_max]:
            self.read(record_id)

    def note_shown(self, held: HeldRecord) -> None:
        """A row of it left the system, in the feed or in an answer."""
        held.shown = True
        self.witness.shown(held)

    def read_open(self, held: HeldRecord) -> None:
        """Its row: every column, the revision, and whoever changed it last."""
        kind: Literal["created", "updated"] = "updated" if held.shown else "created"
        self._publish(held, kind, fields=self._whole(held), scope="row", revision=held.revision)
        self.note_shown(held)

    def read_qualified(self, held: HeldRecord) -> None:
        """It became a contact."""
        self._publish(held, "converted", contact=self._closed_by[held.id].record, revision=held.revision)

    def read_deactivated(self, held: HeldRecord) -> None:
        """It was merged into another."""
        winner = self._closed_by[held.id]
        self._publish(held, "merged", winner=winner.record, winner_person_key=winner.person_key)

    def _queue_contact(self, lead_id: str, contact_id: str) -> None:
        first, second = (lead_id, contact_id)
        if self.random.random() < CONTACT_FIRST_SHARE:
            first, second = second, first
        self.unread.pop(first, None)
        self.unread.pop(second, None)
        self.unread[first] = self.unread[second] = None

    def _publish(self, held: HeldRecord, kind: str, **more: Any) -> None:
        more = {"version": held.version, "creation": held.creation(), **more}
        change: SourceChange = self._source(held, f"dynamics/{held.id}/{held.version}", kind, **more)
        self.feed.append(Published(held.stream, change))

    def _touch(self, held: HeldRecord, who: str, now: float) -> None:
        super()._touch(held, who, now)
        self.unread[held.id] = None

    def _columns(self, kind: Any) -> tuple[str, ...]:
        columns = super()._columns(kind)
        filter_column = self.policy.filter_column
        return columns if filter_column is None or filter_column in columns else (*columns, filter_column)

    def _next_version(self, held: HeldRecord) -> int:
        self._organisation_version += 1
        return self._organisation_version

    def _on_edited(self, held: HeldRecord, changed: Mapping[str, Value]) -> None:
        """Nothing more: the row will be read some time."""


def _contact_columns(policy: Policy) -> Mapping[str, str]:
    """Lead column -> contact column of the same field; the filter goes along."""
    columns = {
        rule.lead: rule.contact
        for rule in policy.fields.values()
        if rule.lead is not None and rule.contact is not None and rule.direction != "to_marketo"
    }
    if policy.filter_column is not None:
        columns[policy.filter_column] = policy.filter_column
    return columns


_READ = {
    "open": SimulatedDynamics.read_open,
    "qualified": SimulatedDynamics.read_qualified,
    "deactivated": SimulatedDynamics.read_deactivated,
}
