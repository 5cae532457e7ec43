"""What is due in each system, and what is at rest.

A field is due in a system when what the record holds differs from the settled value, and may be written there. When all
records hold the settled value and no command carries the field, it is at rest. (Design, "Sight, collisions, commands".)
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.vocabulary import DYNAMICS, MARKETO, SYSTEMS, System
from streams.sync.collision import Settled, settle
from streams.sync.messages import CollidingEdit, Value
from streams.sync.outcome import Fold
from streams.sync.person import Edit, MovingField

AT_REST = ""
"""The change id of a value at rest that is sent again."""


NOTHING_DUE: Mapping[System, dict[str, Edit]] = {MARKETO: {}, DYNAMICS: {}}


def due_by_system(fold: Fold) -> dict[System, dict[str, Edit]]:
    due: dict[System, dict[str, Edit]] = {MARKETO: {}, DYNAMICS: {}}
    for name, field in fold.person.moving.items():
        if field.stopped or fold.person.is_undecided(name):
            continue
        edit = settled_edit(fold, name, field)
        if edit.made_in is None and name in fold.policy.fields and fold.policy.fields[name].block_updates:
            continue  # the systems may hold different values for good
        due_in = [
            system
            for system in SYSTEMS
            if field.side(system).held != edit.value and _may_be_written(fold, system, name, field, edit)
        ]
        for system in due_in:
            due[system][name] = edit
        if not due_in and edit.made_in is not None and not fold.is_kept_out():
            _leave_written_once(fold, name, field, edit)
    return due


def settled_edit(fold: Fold, name: str, field: MovingField) -> Edit:
    """The edit that stands in a field, its collision put on record; where none is left, the value at rest."""
    rule, marketo, dynamics = fold.policy.fields.get(name), field.marketo.edit, field.dynamics.edit
    if rule is None:
        return Edit(AT_REST, field.base)
    if rule.direction == "both" and (marketo is None or dynamics is None):
        return marketo or dynamics or Edit(AT_REST, field.base)  # as `settle` says of most fields, sooner
    settled = settle(field, rule, fold.person.record_type, fold.policy)
    if settled.rule is not None:
        _record_collision(fold, name, field, settled)
    if settled.edit is not None or rule.direction == "both":
        return settled.edit or Edit(AT_REST, field.base)
    return Edit(AT_REST, field.side(MARKETO if rule.direction == "to_dynamics" else DYNAMICS).held)


def _record_collision(fold: Fold, name: str, field: MovingField, settled: Settled) -> None:
    marketo, dynamics, edit = field.marketo.edit, field.dynamics.edit, settled.edit
    assert marketo is not None and dynamics is not None and edit is not None
    pair = f"{name}/{marketo.change_id}/{dynamics.change_id}/{edit.made_in}"
    if field.collision == pair:
        return
    field.collision = pair
    fold.log(
        "collision",
        pair,
        system=None,
        field=name,
        base=field.base,
        marketo=_colliding(marketo),
        dynamics=_colliding(dynamics),
        winner=edit.made_in,
        rule=settled.rule,
    )


def _colliding(edit: Edit) -> CollidingEdit:
    return CollidingEdit(change_id=edit.change_id, value=edit.value, time=edit.time, who=edit.who)


def _may_be_written(fold: Fold, system: System, name: str, field: MovingField, edit: Edit) -> bool:
    """Whether a field may be written to this system's record, now that it holds something; its own edit always may."""
    link = fold.person.system(system).link
    if link is None or name not in fold.policy.outbound[link.type] or not in_sync(fold, name):
        return False
    is_first = field.side(system).held is None or edit.made_in == system
    return is_first or system not in fold.policy.fields[name].block_updates


def _leave_written_once(fold: Fold, name: str, field: MovingField, edit: Edit) -> None:
    """Of a field that is written once, what stands is where it may be; what the other system holds stays.

    That is what was agreed on, and no edit is left that would go and undo the other one. While a command still carries the
    field, it may cover what stands, which is then due again. While the filter says No, nothing stands: that is not agreed on.
    """
    person = fold.person
    if any(state.flight is not None and name in state.flight.fields for state in (person.marketo, person.dynamics)):
        return
    blocked = fold.policy.fields[name].block_updates
    if any(person.system(system).link is not None and field.side(system).held != edit.value for system in blocked):
        field.base = edit.value
        field.marketo.edit = field.dynamics.edit = None


def in_sync(fold: Fold, name: str) -> bool:
    """A field without a name for the person's record type is out of sync; what we know ourselves never is."""
    rule, dynamics = fold.policy.fields.get(name), fold.person.dynamics.link
    if rule is None:
        return False
    return dynamics is None or rule.computed is not None or rule.column(dynamics.type) is not None


def rest(fold: Fold) -> None:
    """Put to rest every field that all linked records hold alike and that no command carries."""
    person = fold.person
    to_marketo, to_dynamics = person.marketo.flight, person.dynamics.flight
    if person.conversion is not None:
        return  # what the contact holds is yet to be seen
    if (to_marketo and to_marketo.operation == "create") or (to_dynamics and to_dynamics.operation == "create"):
        return  # what the new record holds is yet to be seen
    for name, field in list(person.moving.items()):
        if field.stopped or (to_marketo and name in to_marketo.fields) or (to_dynamics and name in to_dynamics.fields):
            continue
        # Out of sync, a field is only what Marketo holds, where there is a Marketo record.
        alike = in_sync(fold, name)
        value = settled_edit(fold, name, field).value if alike else field.marketo.held
        if not alike or (_agrees(fold, MARKETO, name, field, value) and _agrees(fold, DYNAMICS, name, field, value)):
            person.at_rest[name] = value
            del person.moving[name]


def _agrees(fold: Fold, system: System, name: str, field: MovingField, value: Value) -> bool:
    """Whether this system's record, if there is one that has the field, holds the value."""
    link = fold.person.system(system).link
    if link is None:
        flight = fold.person.system(system).flight
        return flight is None or flight.operation == "delete"
    rule = fold.policy.fields.get(name)
    if rule is None or rule.column(link.type) is None:
        return True
    if rule.direction == ("to_dynamics" if system == MARKETO else "to_marketo"):
        return True  # the source of a one-way field agrees with whatever it holds
    return field.side(system).held == value
