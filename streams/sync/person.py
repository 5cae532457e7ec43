"""What is known of one person: the state that `step` folds changes into.

Only what is not at rest costs much. A field at rest is its name and value; a field that moves has, for each system, the
value its record is known to hold and the latest edit that was made there and is not over. Encoded as MessagePack arrays;
a new member goes to the end of its struct with a default, so that every state ever written can be read.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from schemas.vocabulary import DYNAMICS, MARKETO, Lane, Operation, RecordKind, RecordType, System
from streams.sync.messages import Record, Value

Closure = Literal["deleted", "merged", "converted", "stray"]


class Edit(Struct, frozen=True, array_like=True, gc=False):
    """A value that came into being in one system: by a person, or weakly, by that system on save or as a default.

    `made_in` is None for the value at rest when it is sent again. `rewrites` counts how often systems rewrote the value
    that a person entered. Identity is (change_id, made_in, value).
    """

    change_id: str
    value: Value
    made_in: System | None = None
    time: str | None = None
    who: str | None = None
    weak: bool = False
    rewrites: int = 0

    def is_same(self, other: Edit | None) -> bool:
        """Whether both are one edit."""
        return (
            other is not None
            and self.change_id == other.change_id
            and self.made_in == other.made_in
            and self.value == other.value
        )

    def by_person_in(self, system: System) -> bool:
        """Whether somebody entered it in this system."""
        return self.made_in == system and not self.weak


class FieldSide(Struct, array_like=True, gc=False):
    """One field on one system's record: what it holds, and its latest edit while that matters."""

    held: Value
    edit: Edit | None = None
    in_sight: bool = False  # the edit was made in sight of the other system's latest edit
    delivered: bool = False  # the edit has landed on the other record
    untold: bool = False  # nobody has said what it holds: `held` is a guess

    def tell(self, value: Value) -> None:
        """The record holds this."""
        self.held, self.untold = value, False


class MovingField(Struct, array_like=True, gc=False):
    """A field that is not at rest. `base`: the value of the last agreement."""

    base: Value
    marketo: FieldSide
    dynamics: FieldSide
    held_since: tuple[Value, ...] = ()  # what the Dynamics record held since the last agreement; for a conversion
    collision: str = ""  # the pair and winner last put on record
    stopped: bool = False  # its value was rewritten too often

    def side(self, system: System) -> FieldSide:
        """The field on this system's record."""
        return self.marketo if system == MARKETO else self.dynamics

    def other(self, system: System) -> FieldSide:
        """The field on the other system's record."""
        return self.dynamics if system == MARKETO else self.marketo


class Link(Struct, array_like=True, gc=False):
    """The record of a person in one system. `version` and `revision` are the last ones that it showed."""

    type: RecordKind
    id: str
    version: int = -1
    revision: int = 0
    creation: int = 0  # n of its key; 0 on a record that we linked
    unread: bool = False  # linked, or converted, before any row of it was seen
    viewed_at: str | None = None  # the view's own time, where a view stands for its `created`
    blind: bool = False  # its stream does not show our fields: `revision` was told by values alone
    heir: str | None = None  # the person to whom it is to be given: their record in Dynamics is its twin


class Flight(Struct, array_like=True, gc=False):
    """The command that is in flight to one system."""

    command_id: str
    revision: int
    operation: Operation
    record: Record | None
    fields: dict[str, Edit]
    creation: int = 0
    lane: Lane = "first"
    owner: str | None = None
    causes: tuple[str, ...] = ()
    gone: Literal["", "deleted", "closed"] = ""  # the applier found no such record; the feed has not said so yet


class Wish(Struct, frozen=True, array_like=True, gc=False):
    """A record that shall be created, and by whose request."""

    cause: str
    lane: Lane = "first"
    sync_as: RecordType = "lead"
    owner: str | None = None


class Conversion(Struct, frozen=True, array_like=True, gc=False):
    """What was in flight to a lead when it became a contact; kept until the contact's first row."""

    void: dict[str, Edit]
    lead_was_read: bool = False  # what the lead held is known, the empty fields too


class SyncError(Struct, frozen=True, array_like=True, gc=False):
    """An open sync error. `refused`: the system said so, not our rules; it stands until something new is to be said."""

    cause: str
    code: str
    message: str
    operation: Operation
    field: str | None = None
    value: Value = None
    refused: bool = False


class SystemState(Struct, array_like=True, gc=False):
    """What is known of the person in one system."""

    link: Link | None = None
    flight: Flight | None = None
    revision: int = 0  # of the last command
    creations: int = 0  # creations of ours that came into being
    wish: Wish | None = None  # a record shall be created
    qualify: Lane | None = None  # the lead shall be qualified, in this lane
    delete: bool = False  # the record shall be deleted (delete policy)
    closed: tuple[tuple[str, Closure], ...] = ()  # no more: strays, then those that were linked, oldest first

    def closure_of(self, record_id: str) -> Closure | None:
        """Why this record is closed; None for one that is not."""
        for closed_id, closure in self.closed:
            if closed_id == record_id:
                return closure
        return None

    def last_closure(self) -> Closure | None:
        """Why the last linked record closed."""
        last = self.closed[-1][1] if self.closed else None
        return None if last == "stray" else last

    def use_up(self, number: int | None) -> None:
        """A creation of ours with this number, if it has one, came into being: a next record gets another, and in Dynamics another id."""
        self.creations = max(self.creations, number or 0)

    def creating(self) -> Flight | None:
        """The create in flight, if there is one."""
        return self.flight if self.flight is not None and self.flight.operation == "create" else None


class PersonState(Struct, array_like=True, gc=False):
    """One person. `at_rest`: canonical name -> the value that every linked record holds (known to be empty: None)."""

    marketo: SystemState = msgspec.field(default_factory=SystemState)
    dynamics: SystemState = msgspec.field(default_factory=SystemState)
    record_type: RecordType | None = None
    syncable: bool | None = None  # the sync filter's last word; None is yes
    at_rest: dict[str, Value] = {}
    moving: dict[str, MovingField] = {}
    errors: dict[str, SyncError] = {}  # by receiver, `rewriting/<field>` or `duplicate/<system>`
    requests: tuple[str, ...] = ()  # the last ones, by change id: a repeat has no effect
    conversion: Conversion | None = None
    unstated: tuple[str, ...] = ()  # `system/field`: what its record, a one-way field's source, has not stated

    def system(self, system: System) -> SystemState:
        """The person in this system."""
        return self.marketo if system == MARKETO else self.dynamics

    def other(self, system: System) -> SystemState:
        """The person in the other system."""
        return self.dynamics if system == MARKETO else self.marketo

    def is_undecided(self, name: str) -> bool:
        """Whether a contact's first row will say how this field was settled: what was on its way to the lead may be there."""
        return self.conversion is not None and name in self.conversion.void

    def linked_pair(self) -> bool:
        """Whether both systems hold a record of the person."""
        return self.marketo.link is not None and self.dynamics.link is not None


def fork(person: PersonState) -> PersonState:
    """A copy that may be changed without the original's changing: frozen parts are shared."""
    return PersonState(
        _fork_system(person.marketo),
        _fork_system(person.dynamics),
        person.record_type,
        person.syncable,
        person.at_rest.copy(),
        {name: _fork_field(field) for name, field in person.moving.items()},
        person.errors.copy(),
        person.requests,
        person.conversion,
        person.unstated,
    )


def _fork_system(state: SystemState) -> SystemState:
    link, flight = state.link, state.flight
    return SystemState(
        None
        if link is None
        else Link(
            link.type,
            link.id,
            link.version,
            link.revision,
            link.creation,
            link.unread,
            link.viewed_at,
            link.blind,
            link.heir,
        ),
        None if flight is None else _fork_flight(flight),
        state.revision,
        state.creations,
        state.wish,
        state.qualify,
        state.delete,
        state.closed,
    )


def _fork_flight(flight: Flight) -> Flight:
    return Flight(
        flight.command_id,
        flight.revision,
        flight.operation,
        flight.record,
        flight.fields,  # never changed once it is in flight
        flight.creation,
        flight.lane,
        flight.owner,
        flight.causes,
        flight.gone,
    )


def _fork_field(field: MovingField) -> MovingField:
    marketo, dynamics = field.marketo, field.dynamics
    return MovingField(
        field.base,
        FieldSide(marketo.held, marketo.edit, marketo.in_sight, marketo.delivered, marketo.untold),
        FieldSide(dynamics.held, dynamics.edit, dynamics.in_sight, dynamics.delivered, dynamics.untold),
        field.held_since,
        field.collision,
        field.stopped,
    )


def other_system(system: System) -> System:
    """The system that is not this one."""
    return DYNAMICS if system == MARKETO else MARKETO


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(PersonState)


def encode_person(person: PersonState) -> bytes:
    """The state as it stands in the table `people`; equal states give equal bytes."""
    return _encoder.encode(person)


def decode_person(data: bytes) -> PersonState:
    """The state from its bytes. Raises msgspec.ValidationError on bytes of another making."""
    return _decoder.decode(data)
