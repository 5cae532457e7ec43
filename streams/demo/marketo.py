"""Marketo, simulated: people, who edits them, and a feed that lists every change in order.

A feed entry holds the fields that changed and nothing else; our revision stands in it when it was written, even where
nothing else changed. Its version is the connector's own counter per record, over changes, deletions and merges together.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from schemas.identity import person_key_of
from schemas.source_change import Campaign
from schemas.vocabulary import MARKETO, OURSELVES, RecordType
from streams.demo.record import HeldRecord, Published
from streams.demo.saving import Saving
from streams.demo.system import SimulatedSystem
from streams.demo.witness import Witness
from streams.sync.messages import ApplyCommand, Record, Value
from streams.sync.policy import Policy

FIRST_ID = 1_000_001


class SimulatedMarketo(SimulatedSystem):
    """Marketo persons. Keys are looked up as an applier would: `by_key` the living ones, `keys_gone` the others."""

    system = MARKETO

    def __init__(self, policy: Policy, rng: random.Random, saving: Saving, witness: Witness | None = None) -> None:
        super().__init__(policy, rng, saving, witness)
        self.by_key: dict[str, str] = {}
        self.keys_gone: dict[str, str] = {}
        self._ids = FIRST_ID

    def create(self, who: str, values: Mapping[str, Value], now: float) -> HeldRecord:
        """A person types in a new person."""
        held = self._create(None, values, who, now)
        self.witness.created(held, {column: held.values[column] for column in values}, None)
        return held

    def create_by(self, command: ApplyCommand, now: float) -> HeldRecord:
        """A command makes a new person, with its key and revision."""
        held = self._create(command, command.fields or {}, OURSELVES, now)
        self.witness.created(held, {}, command)
        return held

    def delete(self, record_id: str, who: str, now: float) -> None:
        """A person deletes a person."""
        held = self._close(record_id, who, now)
        self._publish(held, "deleted")
        self.witness.deleted(held)

    def merge(self, loser_id: str, winner_id: str, who: str, now: float, take: tuple[str, ...] = ()) -> None:
        """A person merges two persons: the winner keeps its values and takes these columns of the loser, where it has none."""
        winner = self.records[winner_id]
        loser = self._close(loser_id, who, now)
        self.gone[loser_id] = "closed"
        self._publish(loser, "merged", winner=winner.record, winner_person_key=winner.person_key)
        self.witness.merged(loser, winner)
        self.edit(winner_id, who, {column: loser.values.get(column) for column in take}, now)

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
        """Sync Person to Microsoft. The request goes its own way, and may overtake the feed; so it carries a view."""
        self._requests += 1
        held = self.records[record_id]
        view: dict[str, Any] = (
            {"fields": self._whole(held), "scope": "row", "updated_at": held.time} if with_view else {}
        )
        change = self._source(
            held, f"marketo/request/{self._requests}", "requested", now,
            who=who, action="sync_person", campaign=campaign, sync_as=sync_as, owner=owner, **view,
        )  # fmt: skip
        self.announced.append(Published(held.stream, change))
        self.witness.requested(held, change)

    def list_landing(
        self, held: HeldRecord, command: ApplyCommand, changed: Mapping[str, Value], *, as_a_whole: bool = False
    ) -> None:
        """The feed's entry of a write of ours."""
        if held.key is not None:
            self.by_key[held.key] = held.id
        told = {"fields": self._whole(held), "scope": "row"} if as_a_whole else {"fields": dict(changed)}
        self._publish(held, "updated", revision=command.revision, **told)

    def _take_ours(self, held: HeldRecord, command: ApplyCommand) -> None:
        """A key finds the record no more once that holds another."""
        if held.key is not None and held.key != command.key:
            self.by_key.pop(held.key, None)
        super()._take_ours(held, command)

    def _create(self, command: ApplyCommand | None, values: Mapping[str, Value], who: str, now: float) -> HeldRecord:
        record_id = str(self._ids)
        self._ids += 1
        person_key = person_key_of(MARKETO, record_id) if command is None else command.person_key
        held = self._new(Record(MARKETO, "person", record_id), record_id, person_key, values, who, now)
        if command is not None and command.key is not None:
            self._take_ours(held, command)
            self.by_key[command.key] = record_id
        fields = {column: value for column, value in held.values.items() if value is not None}
        self._publish(held, "created", fields=fields, revision=held.revision)
        return held

    def _close(self, record_id: str, who: str, now: float) -> HeldRecord:
        held = self.records.pop(record_id)
        held.state = "deactivated"
        self._touch(held, who, now)
        self.gone[record_id] = "deleted"
        if held.key is not None:
            self.by_key.pop(held.key, "")
            self.keys_gone[held.key] = record_id
        return held

    def _publish(self, held: HeldRecord, kind: str, **more: Any) -> None:
        change = self._source(
            held, f"marketo/{held.id}/{held.version}", kind, version=held.version, creation=held.creation(), **more
        )
        self.feed.append(Published(held.stream, change))

    def _next_version(self, held: HeldRecord) -> int:
        return held.version + 1

    def _on_edited(self, held: HeldRecord, changed: Mapping[str, Value]) -> None:
        self._publish(held, "updated", fields=dict(changed))
