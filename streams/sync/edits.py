"""How a value that a record shows becomes an edit, a landing's own value, or only what the record holds.

An edit is a value that differs from what that record was known to hold and is not a landing's own. It was made in sight of
everything that had landed on its record before it; a later edit of a system has seen whatever an earlier one of it had
seen. (Design, "Sight, collisions, commands"; runnable there as the collision model.)
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.limits import REWRITES_MAX, VALUES_HELD_MAX
from schemas.vocabulary import DYNAMICS, MARKETO, OURSELVES, SYSTEMS, RecordType, System
from streams.sync.collision import settle
from streams.sync.messages import Value
from streams.sync.outcome import Fold
from streams.sync.person import Edit, FieldSide, Flight, MovingField, SyncError, Wish, other_system
from streams.sync.policy import FieldRule
from streams.sync.values import canonical

UNKNOWN = object()


def held_value(fold: Fold, system: System, name: str) -> object:
    """What the record of this system is known to hold in a field; UNKNOWN where no one has said."""
    moving = fold.person.moving.get(name)
    if moving is not None:
        return moving.side(system).held
    return fold.person.at_rest.get(name, UNKNOWN)


def moving_field(fold: Fold, name: str) -> MovingField:
    """The field, taken from rest if it was at rest."""
    moving = fold.person.moving.get(name)
    if moving is None:
        at_rest, unstated = fold.person.at_rest, fold.person.unstated
        value = at_rest.get(name)
        marketo, dynamics = (
            FieldSide(value, untold=name not in at_rest or f"{each}/{name}" in unstated) for each in SYSTEMS
        )
        moving = fold.person.moving[name] = MovingField(value, marketo, dynamics)
    return moving


def hold(field: MovingField, system: System, value: Value) -> None:
    """Note what the record holds now, and, of Dynamics, what it held since the last agreement."""
    side = field.side(system)
    if system == DYNAMICS and side.held != value and side.held not in field.held_since:
        field.held_since = (*field.held_since, side.held)[-VALUES_HELD_MAX:]
    side.tell(value)


def new_edit(fold: Fold, system: System, value: Value, weak: bool = False, rewrites: int = 0) -> Edit:
    """An edit that this change brings."""
    change = fold.change
    return Edit(change.change_id, value, system, change.time, change.who, weak, rewrites)


def fold_edit(fold: Fold, system: System, name: str, edit: Edit) -> None:
    """Fold one field's value as an edit, unless the record was known to hold it already."""
    if edit.value is None and f"{system}/{name}" in fold.person.unstated:
        _still_holds_nothing(fold, system, name)
        return
    moving = fold.person.moving.get(name)
    known = fold.person.at_rest.get(name, UNKNOWN) if moving is None else moving.side(system).held
    if known is UNKNOWN and edit.value is None:
        if name in fold.policy.fields:
            _stands_without_its_source(fold, system, name, known)
            fold.person.at_rest[name] = None
        return
    if known is not UNKNOWN and known == edit.value:
        return
    rule = fold.policy.fields.get(name)
    if rule is None:
        return
    if moving is None and rule.direction != "both" and _stands_without_its_source(fold, system, name, known):
        fold.person.at_rest[name] = edit.value
        return
    if moving is None and _is_of_another_type(rule, system, known, edit.value):
        fold.person.at_rest[name] = edit.value
        return
    field = moving or moving_field(fold, name)
    if rule.direction == ("to_marketo" if system == MARKETO else "to_dynamics"):
        _fold_on_the_receiving_side(fold, system, name, edit)
        return
    side, there = field.side(system), field.other(system)
    seen_before = side.edit is not None and side.in_sight
    side.in_sight = there.edit is not None and (there.delivered or seen_before or _is_left_in_error(fold, system))
    there.in_sight = False
    if known is UNKNOWN:
        side.tell(edit.value)  # what it held before is not known to have been empty
    else:
        hold(field, system, edit.value)
    side.edit, side.delivered = edit, False
    if not edit.weak:
        _a_person_edited(fold, system, name, field)


def _still_holds_nothing(fold: Fold, system: System, name: str) -> None:
    """The source of a one-way field shows it empty, which is no news; where the policy makes it no such source since, it gets the value."""
    if name in fold.policy.fields and name not in fold.policy.received[other_system(system)]:
        only_hold(fold, system, name, None)


def only_hold(fold: Fold, system: System, name: str, value: Value) -> None:
    """A record holds a value that nobody entered: the other system's stands, and is checked like any edit of it."""
    field = moving_field(fold, name)
    side, there = field.side(system), field.other(system)
    side.tell(value)
    if value != field.base and side.edit is None and there.edit is None:
        there.edit = new_edit(fold, other_system(system), field.base, weak=True)


def _is_of_another_type(rule: FieldRule, system: System, known: object, value: Value) -> bool:
    """Whether the value at rest is this one, from before the policy gave the field its type: nobody edited it.

    Options are left out: a canonical label may be read as another one's number.
    """
    if known is UNKNOWN or rule.type in ("option", "options"):
        return False
    return canonical(rule, system, known) == value  # type: ignore[arg-type]  # a value, as it is not unknown


def _is_left_in_error(fold: Fold, system: System) -> bool:
    """The other record is deleted and what it left cannot be delivered: only an edit of the living one can end that."""
    other = fold.person.other(system)
    return system in fold.person.errors and other.link is None and other.creating() is None


def _stands_without_its_source(fold: Fold, system: System, name: str, known: object) -> bool:
    """Whether a one-way field's value on the receiving side stands: nobody has stated another one that still is somebody's."""
    if name not in fold.policy.received[system]:
        return False
    if known is UNKNOWN:
        note_unstated(fold, (name,), system)
    return f"{other_system(system)}/{name}" in fold.person.unstated


def note_unstated(fold: Fold, names: Iterable[str], system: System) -> None:
    """Of those of these fields that this system only receives, the other one has stated nothing."""
    received, source = fold.policy.received[system], other_system(system)
    new = (f"{source}/{name}" for name in names if name in received)
    fold.person.unstated = tuple(dict.fromkeys([*fold.person.unstated, *new]))


def note_stated(fold: Fold, *, empty_too: bool = False) -> None:
    """The source of one-way fields states them: from now on what it says is right.

    `empty_too`: somebody else made the record, and left empty what it shows empty. In one that we made, nobody has yet been asked.
    """
    shown = fold.change.fields or {}
    _no_more_unstated(fold, fold.change.system, (n for n, value in shown.items() if value is not None or empty_too))


def _no_more_unstated(fold: Fold, system: System, names: Iterable[str]) -> None:
    if fold.person.unstated:  # which is nearly nobody's
        stated = {f"{system}/{name}" for name in names}
        fold.person.unstated = tuple(each for each in fold.person.unstated if each not in stated)


def forget_what_it_stated(fold: Fold, source: System) -> None:
    """The source of one-way fields is no more, or a new one: what the former stated is not what another one holds."""
    note_unstated(fold, [*fold.person.at_rest, *fold.person.moving], other_system(source))


def _fold_on_the_receiving_side(fold: Fold, system: System, name: str, edit: Edit) -> None:
    """An edit on the receiving side of a one-way field is only held; while there is a source, it is overwritten, if it may be."""
    field = fold.person.moving[name]
    hold(field, system, edit.value)
    if fold.person.other(system).link is None:
        field.base = field.other(system).held = edit.value  # what a former source held is not what a new one holds
        return
    if not edit.weak and system not in fold.policy.fields[name].block_updates:
        fold.log("overwritten", name, field=name, value=edit.value, rule="one_way")
        _a_person_edited(fold, system, name, field)


def _a_person_edited(fold: Fold, system: System, name: str, field: MovingField) -> None:
    """Somebody entered something new: what had stopped on old values may go on."""
    if field.stopped:
        field.stopped = False
        fold.close_error(f"rewriting/{name}")
    if fold.person.errors:
        heed_refusals_no_longer(fold)
    marketo = fold.person.marketo
    if system == DYNAMICS and marketo.link is None and marketo.flight is None and marketo.last_closure() == "deleted":
        want_marketo_again(fold, name)


def want_marketo_again(fold: Fold, name: str) -> None:
    """An edit in Dynamics of somebody whose Marketo person was deleted makes a new one (domain, table 1.6, D4)."""
    if name in fold.policy.outbound["person"]:
        fold.person.marketo.wish = Wish(fold.change.change_id)


def heed_refusals_no_longer(fold: Fold) -> None:
    """After an edit or a retry, what a system refused may be tried again."""
    for slot, error in fold.person.errors.items():
        if error.refused:
            fold.person.errors[slot] = SyncError(
                error.cause, error.code, error.message, error.operation, error.field, error.value, refused=False
            )


def land(fold: Fold, system: System, flight: Flight, record_type: RecordType | None = None) -> None:
    """Every value that the command carried is now on the record; what it overrode there is over.

    `record_type`: of the record on which it landed, where that is not the person's any more.
    """
    created = flight.operation == "create"
    for name, sent in flight.fields.items():
        land_field(fold, system, name, sent, created=created, record_type=record_type)
    if not created:
        return
    for name in fold.policy.outbound["person" if system == MARKETO else "lead"]:
        if name in fold.person.moving and name not in flight.fields:
            _land_empty(fold, system, name, record_type)


def _land_empty(fold: Fold, system: System, name: str, record_type: RecordType | None) -> None:
    """A new record holds nothing where its create carried nothing; an edit that emptied the field has come with that."""
    field = fold.person.moving[name]
    field.side(system).tell(None)
    emptied = field.other(system).edit
    if emptied is not None and emptied.value is None:
        land_field(fold, system, name, emptied, created=True, record_type=record_type)


def land_field(
    fold: Fold, system: System, name: str, sent: Edit, *, created: bool, record_type: RecordType | None = None
) -> None:
    """One value that we sent is on the record. A default that a new record got now goes to the other side as well."""
    rule = fold.policy.fields.get(name)
    is_default = created and sent.weak
    if rule is None or (name not in fold.person.moving and not is_default):
        return
    field = moving_field(fold, name)
    side, there = field.side(system), field.other(system)
    if is_default and there.edit is None:
        there.edit = sent
        note_unstated(fold, (name,), system)  # it was filled in because the source of a one-way field holds nothing
    side.tell(sent.value)
    if sent.value is not None:  # whatever may have been there unstated, this is there now
        _no_more_unstated(fold, system, (name,))
    if system == DYNAMICS:
        field.held_since = ()  # whatever shows in a contact was entered after it
    if not sent.is_same(there.edit):
        return
    there.delivered = True
    if record_type is None and fold.person.is_undecided(name):
        return
    if sent.is_same(settle(field, rule, record_type or fold.person.record_type, fold.policy).edit):
        side.edit, side.in_sight = None, False  # overridden, or it was the older one


def fold_own_value(fold: Fold, system: System, name: str, value: Value, sent: Edit) -> None:
    """A value that shows at the landing itself, other than sent, in our own write: the system rewrote it on save.

    It is an edit only if what was sent is still the settled value; otherwise it is only what the record holds. In a field of
    one direction it goes nowhere: the source's value stands, and the receiver keeps its own.
    """
    if name in fold.policy.received[system]:
        fold_unchanged(fold, system, name, value, sent)
        return
    field, rule = moving_field(fold, name), fold.policy.fields.get(name)
    if rule is None or field.side(system).held == value:
        return
    settled = settle(field, rule, fold.person.record_type, fold.policy).edit
    if settled is not None and not sent.is_same(settled):
        hold(field, system, value)
        return
    rewrites = sent.rewrites + 1
    fold_edit(fold, system, name, new_edit(fold, system, value, weak=True, rewrites=rewrites))
    if rewrites >= REWRITES_MAX:
        _stop(fold, field, name, value, f"the systems rewrote the value {rewrites} times")


def fold_unchanged(fold: Fold, system: System, name: str, value: Value, sent: Edit) -> None:
    """Our own write has landed, and the system holds what it held before, not what was sent.

    Whatever made it so, that old value is nobody's edit: it does not go back to whoever edited, and the error tells them.
    """
    field, rule = moving_field(fold, name), fold.policy.fields.get(name)
    if rule is None:
        return
    hold(field, system, value)
    settled = settle(field, rule, fold.person.record_type, fold.policy).edit
    if settled is None or sent.is_same(settled):
        _stop(fold, field, name, value, f"{system} was sent another value and kept its own")


def _stop(fold: Fold, field: MovingField, name: str, value: Value, what: str) -> None:
    """Nothing more is sent of this field until somebody edits it, or asks for a retry."""
    field.stopped = True
    message = f"{name}: {what}; edit it, or retry, to send it again"
    fold.open_error(f"rewriting/{name}", SyncError(fold.change.change_id, "rewriting", message, "update", name, value))


def fold_late_repeat(fold: Fold, name: str, value: Value) -> None:
    """A late repeat of an old write of ours: no edit; what it wrote is held, and will be written over."""
    known = held_value(fold, MARKETO, name)
    if known is UNKNOWN or known == value:
        return
    field, rule = moving_field(fold, name), fold.policy.fields.get(name)
    hold(field, MARKETO, value)
    if rule is None or not rule.block_updates or field.marketo.edit is not None or field.dynamics.edit is not None:
        return
    if DYNAMICS in rule.block_updates or field.dynamics.held == known:
        # The systems may hold different values for good, so that nothing else is due: Marketo gets back what it held.
        field.marketo.edit = Edit(fold.change.change_id, known, MARKETO, fold.change.time, weak=True)  # type: ignore[arg-type]


def is_our_own(fold: Fold) -> bool:
    """Whether the change was last made by ourselves."""
    return fold.change.who == OURSELVES
