"""What the oracle knows of a person: every edit, where each record's value comes from, and which records are due."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from schemas.vocabulary import DYNAMICS, MARKETO, RecordType, System
from streams.demo.record import HeldRecord
from streams.sync.messages import Value

Due = Literal["must", "may", "never"]
"""Whether a system that holds no record of a person should."""


class Edit(NamedTuple):
    """A value that came into being on a record. `seen`: the edits in sight of which it was made. Weak: made by a system.

    `time`: when, in seconds since 1970, where the policy asks for times.
    """

    number: int
    system: System
    record_id: str
    value: Value
    seen: frozenset[int]
    weak: bool = False
    time: float = 0.0


class Cell(NamedTuple):
    """One field of a living record: the edit that its value descends from, and all that have stood in it or were carried to it."""

    edit: Edit | None = None
    seen: frozenset[int] = frozenset()


BLANK = Cell()


@dataclass(slots=True)
class FieldFacts:
    """One field of a person. Thousands of these are made, so they hold nothing that must be allocated.

    `loose`: edits that may or may not have counted; `over`: edits settled for good before a record ended, and of those
    `over_for_contact`: Marketo's that lost as a contact's. `meek`: edits by persons that may count as what the system
    filled in; `on_its_way`: of those over, what a command may have carried to a Marketo person when it was deleted.
    """

    edits: tuple[Edit, ...] = ()
    marketo: Cell = BLANK
    dynamics: Cell = BLANK
    loose: frozenset[int] = frozenset()
    over: frozenset[int] = frozenset()
    over_for_contact: frozenset[int] = frozenset()
    on_its_way: frozenset[int] = frozenset()
    meek: frozenset[int] = frozenset()
    covered: frozenset[tuple[int, int]] = frozenset()  # an edit, and one of the other system that landed on it unseen
    lead_id: str | None = None  # the lead that became a contact
    seen_by_lead: frozenset[int] = frozenset()  # what had stood in the lead's field by then
    seen_when_deleted: frozenset[int] = frozenset()  # what had stood in the field of a Marketo person that is deleted
    held_when_deleted: Edit | None = None  # and what it held in the end

    def cell(self, system: System) -> Cell:
        """The field of the record that lives in this system."""
        return self.marketo if system == MARKETO else self.dynamics

    def put(self, system: System, cell: Cell) -> None:
        """What that field is now."""
        if system == MARKETO:
            self.marketo = cell
        else:
            self.dynamics = cell

    def latest_with(self, value: Value) -> Edit | None:
        """The latest edit to this value."""
        for edit in reversed(self.edits):
            if edit.value == value and isinstance(edit.value, bool) == isinstance(value, bool):
                return edit
        return None


@dataclass(slots=True)
class PersonFacts:
    """A person. `held`: the living record in each system; `ends`: how earlier ones ended."""

    key: str
    fields: dict[str, FieldFacts] = field(default_factory=dict)
    saves: int = 0  # by people: records created and edited
    held: dict[System, HeldRecord] = field(default_factory=dict)
    ends: dict[System, list[str]] = field(default_factory=lambda: {MARKETO: [], DYNAMICS: []})
    creations: dict[System, int] = field(default_factory=lambda: {MARKETO: 0, DYNAMICS: 0})
    requests: int = 0  # Sync Person, with an owner that exists
    is_misowned: bool = False  # a Sync Person named an owner that doesn't exist; a later one may have joined it
    dynamics_due: Due = "never"
    marketo_due: Due = "never"
    flag_due: Due = "never"  # whether Microsoft is Deleted must be true
    last_type: RecordType = "lead"  # of the last record in Dynamics
    is_shown: bool = False  # a row of the stream in Dynamics was read
    covered: dict[str, int] = field(default_factory=dict)  # weak edits in Dynamics that no row has shown yet
    is_told_no: bool = False  # the last row that was read bears the filter's No
    kept_in: dict[str, frozenset[int]] = field(default_factory=dict)  # record -> edits made since the filter said No
    must_go: dict[System, str] = field(default_factory=dict)  # streams to be deleted, since the other record was

    def facts(self, name: str) -> FieldFacts:
        """The facts of a field."""
        facts = self.fields.get(name)
        if facts is None:
            facts = self.fields[name] = FieldFacts()
        return facts
