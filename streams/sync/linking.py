"""How a record becomes a person's: first seen, created by us, linked, or converted from a lead; and what follows from it.

(Design, "Creation, links, conversion, merges"; domain, 1.5 and 1.6.)
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.limits import CLOSED_RECORDS_MAX
from schemas.vocabulary import DYNAMICS, System
from streams.sync import edits
from streams.sync.landings import all_held, fold_values, fold_what_was_refused, landed_by, note_shown
from streams.sync.messages import Record, Value
from streams.sync.outcome import Fold
from streams.sync.person import (
    Closure,
    Conversion,
    Edit,
    FieldSide,
    Flight,
    Link,
    MovingField,
    SyncError,
    SystemState,
    Wish,
    other_system,
)
from streams.sync.policy import FieldRule

MICROSOFT_TYPES: Mapping[str, str] = {"lead": "Lead", "contact": "Contact"}


def land_creation(fold: Fold, record: Record) -> Flight:
    """The record that we created is there: it is linked, and what the create carried has landed."""
    change, state = fold.change, fold.person.system(fold.change.system)
    flight = state.creating()
    assert flight is not None
    state.flight = None
    state.use_up(flight.creation)
    state.link = Link(record.type, record.id, creation=flight.creation)
    note_shown(fold, state.link)
    edits.forget_what_it_stated(fold, change.system)
    state.link.revision, state.link.blind = max(change.revision or 0, flight.revision), change.revision is None
    if change.system == DYNAMICS:
        _become(fold, record)
        want_marketo_if_taken(fold)
    else:
        _forget_what_the_former_held(fold, flight)
    fold.log("created", f"{change.system}/{record.id}", record=record, operation="create")
    return flight


def _forget_what_the_former_held(fold: Fold, flight: Flight) -> None:
    """A new Marketo person did not get what is out of sync: what an earlier one held there, nobody holds any more."""
    at_rest = fold.person.at_rest
    for name in fold.policy.outbound["person"]:
        if name not in flight.fields and at_rest.get(name) is not None:
            del at_rest[name]


def link_first_seen(fold: Fold, record: Record) -> None:
    """A record that nobody announced: a new person's first, or one more of a person who has none in this system.

    One under the number of a wish is that wish's: its create had been answered as refused, and carried out all the same.
    """
    change, person = fold.change, fold.person
    state = person.system(change.system)
    has_new_number = (change.creation or 0) > state.creations
    wish = state.wish if has_new_number else None
    close_duplicate(fold, record)
    state.link = Link(record.type, record.id, creation=change.creation or 0)
    note_shown(fold, state.link)
    is_ours = has_new_number and state.revision > 0  # a command of ours made it
    edits.note_stated(fold, empty_too=not is_ours)
    state.link.revision = change.revision or 0
    end_wish(fold, change.system)
    if wish is not None and wish.sync_as == "contact" and record.type == "lead":
        state.qualify = wish.lane
    note_linked(fold, record)
    if wish is not None:
        fold.log("created", f"{change.system}/{record.id}", record=record, operation="create")
    elif person.linked_pair():
        fold.log("linked", f"{change.system}/{record.id}", record=record)
    if person.linked_pair() and is_ours:
        fold_what_was_refused(fold, {})
    elif person.linked_pair():
        _fold_differences(fold, change.system)
    elif person.marketo.flight is None and person.dynamics.flight is None and not person.moving:
        selected = fold.policy.fields  # the only record of its person: what it holds is what is known
        person.at_rest.update({name: value for name, value in (change.fields or {}).items() if name in selected})
        edits.note_unstated(fold, change.fields or {}, change.system)
    else:
        fold_values(fold, None)


def end_wish(fold: Fold, system: System) -> None:
    """The person has a record in this system: none shall be created, and what stood in the way of that is over."""
    fold.person.system(system).wish = None
    error = fold.person.errors.get(system)
    if error is not None and error.operation == "create":
        fold.close_error(system)


def note_linked(fold: Fold, record: Record) -> None:
    """What follows from a record's being linked: Marketo learns of the Dynamics record; it may have to be created there."""
    if record.system == DYNAMICS:
        _become(fold, record)
        want_marketo_if_never_had(fold)
    else:
        tell_marketo_again(fold)


def want_marketo_if_never_had(fold: Fold) -> None:
    """Somebody created in Dynamics becomes a new person in Marketo."""
    marketo = fold.person.marketo
    if marketo.link is None and marketo.last_closure() is None and marketo.flight is None:
        marketo.wish = Wish(fold.change.change_id)


def want_marketo_if_taken(fold: Fold) -> None:
    """A twin's person got the Marketo record, and there is, or comes, one in Dynamics all the same: nobody stays alone."""
    if fold.policy.dedupe is not None and fold.person.dynamics.link is not None:
        want_marketo_if_never_had(fold)


def _become(fold: Fold, record: Record) -> None:
    """The person has a Dynamics record of this type: Marketo is told so."""
    person = fold.person
    person.record_type = "contact" if record.type == "contact" else "lead"
    tell_marketo(fold, "record_type", MICROSOFT_TYPES[record.type])
    if is_told(fold, "is_deleted", True):
        tell_marketo(fold, "is_deleted", False)


def computed_rule(fold: Fold, what: str) -> FieldRule | None:
    """The policy's field for something that we know ourselves, *Microsoft Type* or *Microsoft is Deleted*."""
    return next((rule for rule in fold.policy.fields.values() if rule.computed == what), None)


def is_told(fold: Fold, what: str, value: Value) -> bool:
    """Whether Marketo was last told this value."""
    rule = computed_rule(fold, what)
    if rule is None:
        return False
    moving = fold.person.moving.get(rule.name)
    return (moving.dynamics.held if moving else fold.person.at_rest.get(rule.name)) == value


def tell_marketo(fold: Fold, what: str, value: Value) -> None:
    """Make a value that we know ourselves due in Marketo: a weak edit, so that it never re-creates a person."""
    rule = computed_rule(fold, what)
    if rule is not None:
        edits.fold_edit(
            fold, DYNAMICS, rule.name, Edit(fold.change.change_id, value, DYNAMICS, fold.change.time, weak=True)
        )


def tell_marketo_again(fold: Fold) -> None:
    """A Marketo record that was linked, not created, has yet to be told what we know ourselves."""
    for rule in fold.policy.fields.values():
        value = fold.person.at_rest.get(rule.name) if rule.computed is not None else None
        if value is not None and rule.name not in fold.person.moving:
            edit = Edit(fold.change.change_id, value, DYNAMICS, fold.change.time, weak=True)
            fold.person.moving[rule.name] = MovingField(None, FieldSide(None, untold=True), FieldSide(value, edit))


def fold_first_row(fold: Fold, state: SystemState, link: Link) -> None:
    """The first row of a record that was linked, or converted, before anything of it was seen."""
    link.unread = False
    edits.note_stated(fold, empty_too=fold.person.conversion is None)
    landed = landed_by(fold, state)
    if landed is not None:
        edits.land(fold, fold.change.system, landed)
    if fold.person.conversion is not None:
        _fold_first_contact_row(fold, fold.person.conversion)
        fold.person.conversion = None
    else:
        _fold_differences(fold, fold.change.system)


def _fold_differences(fold: Fold, system: System) -> None:
    """Two records become one person: where both hold something else, it is a collision; a value beats an empty field."""
    for name, value in all_held(fold).items():
        _fold_difference(fold, system, name, edits.new_edit(fold, system, value))


def _fold_difference(fold: Fold, system: System, name: str, edit: Edit) -> None:
    """One field of a record that was not the person's before. The edit: what it holds."""
    value, other = edit.value, other_system(system)
    known = edits.held_value(fold, other, name)
    rule = fold.policy.fields.get(name)
    if rule is None or known == value or (known is edits.UNKNOWN and value is None):
        if known == value and name in fold.person.moving:
            edits.hold(fold.person.moving[name], system, value)  # both hold it, whichever was read first
        return
    if known is edits.UNKNOWN or known is None or rule.direction != "both":
        edits.fold_edit(fold, system, name, edit)
        return
    field = edits.moving_field(fold, name)
    theirs, ours = field.side(other), field.side(system)
    if theirs.edit is None:
        theirs.edit = edits.new_edit(fold, other, field.base)
    edits.hold(field, system, value)
    ours.edit = None if value is None else edit
    ours.in_sight = theirs.in_sight = False


def _fold_first_contact_row(fold: Fold, conversion: Conversion) -> None:
    """A contact's first row: what the lead held is no edit, and what the void command carried has landed with it.

    Where we qualified the lead ourselves, what no lead could hold, and what only Dynamics decides, was filled in by it: nobody
    entered that. Another value may have been entered in the lead just before, or the first in a field that it held empty.
    A field that no lead could hold was out of sync until now: what Marketo holds there is nothing that the contact has lost.
    """
    filled_in = edits.is_our_own(fold)
    for name, value in (fold.change.fields or {}).items():
        held, rule = edits.held_value(fold, DYNAMICS, name), fold.policy.fields.get(name)
        if rule is not None and rule.lead is None and rule.direction == "both":
            if name in fold.person.moving:
                fold.person.moving[name].dynamics.held = None
            _fold_difference(fold, DYNAMICS, name, edits.new_edit(fold, DYNAMICS, value, weak=filled_in))
            continue
        if held is edits.UNKNOWN or held == value or (rule is not None and rule.direction == "to_marketo"):
            entered = conversion.lead_was_read and rule is not None and rule.direction == "both"
            edits.fold_edit(fold, DYNAMICS, name, edits.new_edit(fold, DYNAMICS, value, weak=filled_in and not entered))
            continue
        moving, sent = fold.person.moving.get(name), conversion.void.get(name)
        if sent is not None and sent.value == value:
            # It landed on the lead, for the contact was made of it: what it settled there stays settled.
            edits.land_field(fold, DYNAMICS, name, sent, created=False, record_type="lead")
        elif moving is not None and value in moving.held_since:
            edits.hold(moving, DYNAMICS, value)
        else:
            edits.fold_edit(fold, DYNAMICS, name, edits.new_edit(fold, DYNAMICS, value))


def is_first_of_contact(fold: Fold, state: SystemState, record: Record) -> bool:
    """Whether this is a contact, and the person was known to have, or was about to get, a lead: it became this one.

    Leads and contacts are two tables to Dynamics; what a contact's says may come before the lead's word of the conversion.
    """
    if record.type != "contact" or state.closure_of(record.id) is not None:
        return False
    if state.link is not None:
        return state.link.type == "lead"
    creating = state.creating()
    return creating is not None and creating.record is not None and creating.record.id == fold.change.lead


def convert(fold: Fold, contact: Record) -> None:
    """The lead was qualified: the link moves to the contact, and what was in flight to the lead is void."""
    person, change = fold.person, fold.change
    state = person.dynamics
    flight, link = state.flight, state.link
    lead_id = _lead_of(state, change.record or contact)
    created = flight is not None and flight.operation == "create"
    void = {} if flight is None else flight.fields
    if flight is not None and created:
        state.use_up(flight.creation)
        fold.log("created", f"{DYNAMICS}/{lead_id}", record=Record(DYNAMICS, "lead", lead_id), operation="create")
    if flight is not None and (created or (change.kind == "converted" and (change.revision or 0) >= flight.revision)):
        edits.land(fold, DYNAMICS, flight, "lead")  # it was on the lead before there was a contact
        void = {}
    state.delete = state.delete or (flight is not None and flight.operation == "delete")  # void, and due still
    state.flight = state.qualify = None
    if DYNAMICS in person.errors and person.errors[DYNAMICS].refused:
        fold.close_error(DYNAMICS)  # what was refused to the lead is, if still due, for the contact to take
    state.closed = with_closed(state, lead_id, "converted")
    state.link = Link("contact", contact.id, creation=link.creation if link is not None else 0, unread=True)
    person.conversion = Conversion(void, lead_was_read=link is not None and not link.unread)
    _become(fold, contact)
    want_marketo_if_taken(fold)
    fold.log("converted", contact.id, record=contact)


def _lead_of(state: SystemState, shown: Record) -> str:
    """The lead that becomes a contact: the linked one, the one about to be created, or the one that the change is of."""
    if state.link is not None:
        return state.link.id
    creating = state.creating()
    return creating.record.id if creating is not None and creating.record is not None else shown.id


def with_closed(state: SystemState, record_id: str, closure: Closure) -> tuple[tuple[str, Closure], ...]:
    """The closed records with one more."""
    return (*state.closed, (record_id, closure))[-CLOSED_RECORDS_MAX:]


def end_stray(fold: Fold, state: SystemState, record: Record) -> None:
    """A record is no more that was not the person's linked one: a late repeat of its rows shall say nothing. Its number is used up."""
    state.use_up(fold.change.creation)
    strays = sum(closure == "stray" for _, closure in state.closed)
    state.closed = (*state.closed[:strays], (record.id, "stray"), *state.closed[strays:])[-CLOSED_RECORDS_MAX:]
    if not close_duplicate(fold, record):
        fold.effect = "no_effect"


def close_duplicate(fold: Fold, record: Record) -> bool:
    """It is linked now, or no more, or somebody else's: it is none any more. Whether it was one."""
    slot = f"duplicate/{record.system}"
    error = fold.person.errors.get(slot)
    if error is None or error.value != record.id:
        return False
    fold.close_error(slot)
    return True


def open_duplicate(fold: Fold, record: Record) -> None:
    """A living record of ours shows beside the one that is linked."""
    fold.open_error(
        f"duplicate/{fold.change.system}",
        SyncError(
            fold.change.change_id,
            "duplicate",
            f"{record.type} {record.id} carries this person's key beside the linked record: delete or merge one of them",
            "create",
            value=record.id,
        ),
    )
