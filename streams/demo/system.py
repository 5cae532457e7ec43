"""What both simulated systems have in common: records, who saves them, and the changes that wait to be carried away."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from typing import Any

from schemas.vocabulary import OURSELVES, RecordKind, System
from streams.demo.record import Gone, HeldRecord, Published, blank_as_none, stamp
from streams.demo.saving import Saving
from streams.demo.witness import Unwatched, Witness
from streams.sync.messages import ApplyCommand, ApplyResult, Record, Row, SourceChange, Value
from streams.sync.policy import Policy

CLOCK_STEP_SECONDS = 0.000_002
"""No two changes of a system bear one time."""


class SimulatedSystem:
    """Records by id. `records` holds every record that is not deleted; `gone` says why an id can't be written to any more.

    `feed` holds what the system's change feed shows, `announced` what an applier put into a stream by itself; whoever
    carries messages takes them from the left, each deque in its order.
    """

    system: System

    def __init__(self, policy: Policy, rng: random.Random, saving: Saving, witness: Witness | None = None) -> None:
        self.policy, self.random, self.saving = policy, rng, saving
        self.witness: Witness = witness or Unwatched()
        self.records: dict[str, HeldRecord] = {}
        self._roster: list[str] = []
        self.gone: dict[str, Gone] = {}
        self.feed: deque[Published] = deque()
        self.announced: deque[Published] = deque()
        self._clock, self._requests, self._results = 0.0, 0, 0

    def living(self, record_id: str) -> HeldRecord | None:
        """The record, if it can be edited."""
        held = self.records.get(record_id)
        return held if held is not None and held.state == "open" else None

    def draw(self, rng: random.Random) -> HeldRecord | None:
        """Any record that can be edited."""
        while self._roster:
            place = rng.randrange(len(self._roster))
            held = self.living(self._roster[place])
            if held is not None:
                return held
            self._roster[place] = self._roster[-1]  # closed since: it leaves the roster when somebody comes across it
            self._roster.pop()
        return None

    def edit(self, record_id: str, who: str, values: Mapping[str, Value], now: float) -> dict[str, Value]:
        """A person enters values; gives what changed by it, as stored. On a record that is closed nothing happens."""
        held = self.living(record_id)
        changed = {} if held is None else self._changed(held, values)
        if held is not None and changed:
            held.values.update(changed)
            self._touch(held, who, now)
            self.witness.entered(held, changed)
            self._on_edited(held, changed)
        return changed

    def announce_link(self, record_id: str, person_key: str, other: Record, now: float) -> None:
        """A bootstrap puts `linked` into the record's stream: this one and `other` are one person."""
        held = self.records[record_id]
        self.witness.linked(held, person_key)
        held.person_key = person_key
        change = self._source(
            held, f"linked/{person_key}/{record_id}", "linked", now, person_key=person_key, other=other, creation=0
        )
        self.announced.append(Published(held.stream, change))

    def retry(self, record_id: str, now: float) -> None:
        """Somebody asks for what failed to be tried again."""
        self._requests += 1
        held = self.records[record_id]
        change = self._source(held, f"{self.system}/retry/{self._requests}", "requested", now, action="retry")
        self.announced.append(Published(held.stream, change))

    def answer(self, command: ApplyCommand, answer: Any, held: HeldRecord | None = None, **more: Any) -> ApplyResult:
        """A result of this command, with an id of its own."""
        self._results += 1
        return ApplyResult(
            result_id=f"{self.system}/result/{self._results}",
            command_id=command.command_id,
            person_key=command.person_key,
            system=self.system,
            answer=answer,
            record=command.record if held is None else held.record,
            **more,
        )

    def row(self, held: HeldRecord) -> Row:
        """The record as it is read, every selected column stated."""
        return Row(
            record=held.record,
            version=held.version,
            fields=self._whole(held),
            revision=held.revision,
            creation=held.creation(),
            time=held.time,
            who=held.who,
        )

    def announce(self, command: ApplyCommand, held: HeldRecord, now: float) -> None:
        """`linked` in the stream of a record that a command creates: id, person key and revision."""
        change = SourceChange(
            change_id=f"linked/{command.command_id}",
            kind="linked",
            record=held.record,
            person_key=command.person_key,
            creation=command.creation,
            revision=command.revision,
            time=self.time(now),
            who=OURSELVES,
        )
        self.announced.append(Published(held.stream, change))

    def write(self, held: HeldRecord, command: ApplyCommand, now: float) -> dict[str, Value]:
        """One write of a command's fields with its key and revision; gives what changed by it."""
        changed = self._changed(held, command.fields or {})
        held.values.update(changed)
        self._take_ours(held, command)
        self._touch(held, OURSELVES, now)
        self.witness.landed(held, command)
        return changed

    def time(self, now: float) -> str:
        """`now`, but later than every earlier time of this system."""
        self._clock = max(now, self._clock + CLOCK_STEP_SECONDS)
        return stamp(self._clock)

    def _take_ours(self, held: HeldRecord, command: ApplyCommand) -> None:
        held.key, held.revision = command.key or held.key, command.revision
        held.person_key = held.keyed_person() or command.person_key

    def _new(
        self, record: Record, stream: str, person_key: str, values: Mapping[str, Value], who: str, now: float
    ) -> HeldRecord:
        """A record with what was given, as stored, and what the system fills in."""
        stored = {column: self.saving.stored(column, value) for column, value in values.items()}
        held = HeldRecord(record, stream, person_key, stored)
        self._touch(held, who, now)
        held.values.update(self.saving.filled_in(record.type, stored, held.time))
        self.records[record.id] = held
        self._roster.append(record.id)
        return held

    def _changed(self, held: HeldRecord, values: Mapping[str, Value]) -> dict[str, Value]:
        stored = {column: self.saving.stored(column, value) for column, value in values.items()}
        return {column: value for column, value in stored.items() if blank_as_none(held.values.get(column)) != value}

    def _whole(self, held: HeldRecord) -> dict[str, Value]:
        return {column: held.values.get(column) for column in self._columns(held.record.type)}

    def _columns(self, kind: RecordKind) -> tuple[str, ...]:
        return tuple(self.policy.inbound[kind])

    def _touch(self, held: HeldRecord, who: str, now: float) -> None:
        held.version, held.who, held.time = self._next_version(held), who, self.time(now)

    def _source(
        self, held: HeldRecord, change_id: str, kind: Any, now: float | None = None, **more: Any
    ) -> SourceChange:
        return SourceChange(
            change_id=change_id,
            kind=kind,
            record=held.record,
            time=held.time if now is None else self.time(now),
            **{"who": held.who, "person_key": held.keyed_person(), **more},
        )

    def _next_version(self, held: HeldRecord) -> int:
        raise NotImplementedError

    def _on_edited(self, held: HeldRecord, changed: Mapping[str, Value]) -> None:
        raise NotImplementedError
