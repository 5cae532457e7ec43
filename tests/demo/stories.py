"""Both systems under the shipped policy with an oracle watching, and commands as the processor would send them."""

from __future__ import annotations

import random
from typing import Any

from schemas.identity import dynamics_id_of, key_of
from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.marketo import SimulatedMarketo
from streams.demo.oracle.follow import Oracle
from streams.demo.oracle.verdict import differences
from streams.demo.record import HeldRecord
from streams.demo.stock import stock_saving
from streams.policy import default_policy
from streams.sync.messages import ApplyCommand, Record, SourceChange, Value

PERSON_KEY = "p-1"
NOW = 1_790_000_000.0


class Story:
    """Two systems and an oracle. `habits`: whether the systems rewrite values."""

    def __init__(self, habits: bool = False) -> None:
        self.policy = default_policy()
        self.saving = stock_saving(self.policy, rewriting=habits)
        self.oracle = Oracle(self.policy, self.saving)
        self.marketo = SimulatedMarketo(self.policy, random.Random(1), self.saving[MARKETO], self.oracle)
        self.dynamics = SimulatedDynamics(self.policy, random.Random(2), self.saving[DYNAMICS], self.oracle)

    def person(self, **values: Value) -> HeldRecord:
        """Somebody typed in in Marketo."""
        return self.marketo.create("marketing", {"lastName": "Lovelace", **values}, NOW)

    def lead(self, **values: Value) -> HeldRecord:
        """Somebody typed in in Dynamics."""
        return self.dynamics.create("lead", "sales", {"lastname": "Lovelace", "subject": "Trial", **values}, NOW)

    def marketo_feed(self) -> list[SourceChange]:
        """What Marketo's feed lists and nobody has taken yet."""
        return [self.marketo.feed.popleft().change for _ in range(len(self.marketo.feed))]

    def dynamics_feed(self) -> list[SourceChange]:
        """What change tracking shows when it is read now."""
        self.dynamics.read_all()
        return [self.dynamics.feed.popleft().change for _ in range(len(self.dynamics.feed))]

    def differences(self) -> list[str]:
        """What the oracle finds when it looks now."""
        return [found.about for found in differences(self.oracle, {})]


def update(
    held: HeldRecord, revision: int = 1, expected: dict[str, Value] | None = None, **fields: Value
) -> ApplyCommand:
    """An update of this record."""
    system, key = held.record.system, key_of(held.person_key, 0)
    return command(system, "update", revision, held.person_key, held.record, key, fields=fields, expected=expected)


def create(system: System, person_key: str = PERSON_KEY, number: int = 1, **fields: Value) -> ApplyCommand:
    """A create of the person's record number so-and-so."""
    key = key_of(person_key, number)
    record = Record(DYNAMICS, "lead", dynamics_id_of(key)) if system == DYNAMICS else None
    fields = {"lastname" if system == DYNAMICS else "lastName": "Lovelace", **fields}
    return command(system, "create", 1, person_key, record, key, creation=number, fields=fields)


def command(
    system: System, operation: Any, revision: int, person_key: str, record: Record | None, key: str, **more: Any
) -> ApplyCommand:
    """Any command; its id follows from system and revision."""
    return ApplyCommand(
        command_id=f"{system}/{revision}/{operation}",
        person_key=person_key,
        system=system,
        operation=operation,
        revision=revision,
        record=record,
        key=key,
        **more,
    )
