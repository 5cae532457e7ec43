"""What will come of a person, found by folding through the core the very changes that would be written.

So a plan cannot say anything else than what the worker will do under the policy in force: which value of two stands and why,
what a new Marketo person gets, what the receiver's rules refuse, whom the filter keeps out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

import msgspec

from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS, System
from streams.intake import link_to, resolve_change
from streams.sync.collision import settle
from streams.sync.messages import Fields, PersonChange, SourceChange, Value
from streams.sync.person import MovingField, PersonState, SyncError
from streams.sync.policy import FieldRule, Policy
from streams.sync.step import step

Why = Literal["authority", "marketo", "dynamics", "latest", "unless_blank", "collision_window", "filled", "one_way"]


class Difference(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field that two linked records hold differently, in canonical values. `winner`: whose value both will hold.

    `why`: the policy's rule; `filled` where the other side holds nothing, `one_way` where only one side is ever written. A
    `winner` of None: they stay different, since neither may be written.
    """

    field: str
    marketo: Value
    dynamics: Value
    winner: System | None
    why: Why | None

    @property
    def is_conflict(self) -> bool:
        """Whether somebody's value gives way, or none does: both hold one, and the field goes both ways."""
        return self.why not in ("filled", "one_way")


class Invalid(msgspec.Struct, frozen=True):
    """What would be held back, and why: nothing goes to `to` for this person until it is mended."""

    to: str
    code: str
    field: str | None
    message: str


class Foreseen(NamedTuple):
    """What will come of one person."""

    differences: tuple[Difference, ...] = ()
    invalid: tuple[Invalid, ...] = ()
    creates: bool = False
    kept_out: bool = False


def foresee(changes: Iterable[tuple[str, SourceChange]], policy: Policy) -> Foreseen:
    """Fold the changes of one person's records, with their streams, as if Kafka knew nothing of them yet."""
    state: PersonState | None = None
    creates, last, rows = False, None, dict[System, Fields]()
    for stream, change in changes:
        last = resolve_change(stream, change, None if last is None else link_to(last.person_key), policy).changes[-1]
        outcome = step(state, last, policy)
        state = outcome.state
        creates = creates or any(each.operation == "create" for each in outcome.commands)
        if last.fields is not None:
            rows[last.system] = last.fields
    if state is None or last is None:
        return Foreseen()
    kept_out = state.syncable is False
    differences = tuple(_differences(state, rows, policy)) if len(rows) == len(SYSTEMS) else ()
    errors = () if kept_out else tuple(map(_invalid, _errors(state, last, policy)))
    return Foreseen(differences, errors, creates, kept_out)


def _errors(state: PersonState, last: PersonChange, policy: Policy) -> Iterator[tuple[str, SyncError]]:
    """The errors that open once the records have their keys, when whatever is due is about to go out."""
    for system in SYSTEMS:
        there = state.system(system)
        if there.flight is not None and there.flight.operation == "update" and there.link is not None:
            there.link.revision, there.flight = there.flight.revision, None
    retry = PersonChange(
        change_id=f"{last.change_id}/foreseen",
        person_key=last.person_key,
        policy=policy.digest,
        kind="requested",
        system=last.system,
        record=last.record,
        action="retry",
    )
    found = step(state, retry, policy).state
    yield from sorted((found or state).errors.items())


def _invalid(slot_and_error: tuple[str, SyncError]) -> Invalid:
    slot, error = slot_and_error
    return Invalid(slot, error.code, error.field, error.message)


def _differences(state: PersonState, rows: Mapping[System, Fields], policy: Policy) -> Iterator[Difference]:
    """Compared as the records were read: what a field that nobody has stated holds is not known."""
    for name, field in sorted(state.moving.items()):
        rule = policy.fields.get(name)
        if rule is None or rule.computed is not None or any(name not in row for row in rows.values()):
            continue
        held = {system: rows[system][name] for system in SYSTEMS}
        if held[MARKETO] != held[DYNAMICS]:
            yield _difference(name, field, held, rule, state, policy)


def _difference(
    name: str, field: MovingField, held: Mapping[System, Value], rule: FieldRule, state: PersonState, policy: Policy
) -> Difference:
    settled = settle(field, rule, state.record_type, policy)
    value = field.base if settled.edit is None else settled.edit.value
    winner: System | None = next((system for system in SYSTEMS if held[system] == value), None)
    if winner is not None and _is_closed_to(DYNAMICS if winner == MARKETO else MARKETO, rule, held):
        winner = None
    why: Why | None = settled.rule
    if why is None:
        why = "one_way" if rule.direction != "both" else "filled"
    return Difference(name, held[MARKETO], held[DYNAMICS], winner, None if winner is None else why)


def _is_closed_to(receiver: System, rule: FieldRule, held: Mapping[System, Value]) -> bool:
    """It is not written there at all; or once only, and it holds something."""
    if rule.direction not in ("both", f"to_{receiver}"):
        return True
    return receiver in rule.block_updates and held[receiver] is not None
