"""What one change leads to: the new state, and what is to be sent. Decided first, done later, by somebody else."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from schemas.activity import ActivityKind
from schemas.identity import activity_id_of
from streams.sync.messages import Activity, ApplyCommand, PersonChange
from streams.sync.person import PersonState, SyncError
from streams.sync.policy import Policy

Effect = Literal["folded", "repeat", "closed", "no_effect"]


class Outcome(Struct, frozen=True, gc=False):
    """The result of `step`.

    `effect`: folded; `repeat` for a change not newer than the last one folded; `closed` for a change of a record that is
    no more; `no_effect` for what concerns nothing known of the person. `state` is None while nothing is known of them.
    """

    state: PersonState | None
    commands: tuple[ApplyCommand, ...] = ()
    activities: tuple[Activity, ...] = ()
    effect: Effect = "folded"
    errors_opened: int = 0
    errors_closed: int = 0


class Fold:
    """One change being folded into one person: the working copy, the policy, and what has been decided so far."""

    __slots__ = ("activities", "change", "commands", "effect", "errors_closed", "errors_opened", "person", "policy")

    def __init__(self, person: PersonState, change: PersonChange, policy: Policy) -> None:
        self.person = person
        self.change = change
        self.policy = policy
        self.commands: list[ApplyCommand] = []
        self.activities: list[Activity] = []
        self.effect: Effect = "folded"
        self.errors_opened = 0
        self.errors_closed = 0

    def is_kept_out(self) -> bool:
        """Whether the sync filter, if the policy has one, says No of the Dynamics record."""
        return self.person.syncable is False and self.policy.filter_column is not None

    def log(self, kind: ActivityKind, about: str, **members: Any) -> None:
        """Put an activity on record; its id follows from the change, the kind and what it is about."""
        change = self.change
        members.setdefault("system", change.system)
        members.setdefault("who", change.who)
        self.activities.append(
            Activity(
                activity_id=activity_id_of(change.person_key, kind, change.change_id, about),
                person_key=change.person_key,
                kind=kind,
                cause=change.change_id,
                time=change.time,
                record_type=self.person.record_type,
                **members,
            )
        )

    def open_error(self, slot: str, error: SyncError) -> None:
        """Open a sync error in its slot: `marketo` or `dynamics` (the receiver), `rewriting/<field>`, `duplicate/<system>`.

        The same error again is no news; another one in the slot takes the former's place.
        """
        former = self.person.errors.get(slot)
        if former is not None and _same(former, error):
            self.person.errors[slot] = error if error.refused else former
            return
        if former is not None:
            self.close_error(slot)
        self.person.errors[slot] = error
        self.errors_opened += 1
        self.log_failure(slot, error)

    def log_failure(self, slot: str, error: SyncError) -> None:
        """Put a failure on record."""
        self.log(
            "failed",
            f"{slot}/{error.code}/{error.field}",
            system=receiver_of(slot, self.change),
            operation=error.operation,
            code=error.code,
            field=error.field,
            value=error.value,
            message=error.message,
        )

    def close_error(self, slot: str) -> None:
        """Close the sync error in this slot, if one is open."""
        error = self.person.errors.pop(slot, None) if self.person.errors else None
        if error is None:
            return
        self.errors_closed += 1
        self.log(
            "closed",
            f"{slot}/{error.cause}",
            system=receiver_of(slot, self.change),
            operation=error.operation,
            code=error.code,
            field=error.field,
        )

    def outcome(self) -> Outcome:
        """What has been decided."""
        return Outcome(
            self.person,
            tuple(self.commands),
            tuple(self.activities),
            self.effect,
            self.errors_opened,
            self.errors_closed,
        )


def _same(one: SyncError, other: SyncError) -> bool:
    return (one.code, one.field, one.message) == (other.code, other.field, other.message)


def receiver_of(slot: str, change: PersonChange) -> str:
    """The system that an error slot is about; a rewriting is about the one that showed it."""
    if slot.startswith("rewriting/"):
        return change.system
    return slot.removeprefix("duplicate/")
