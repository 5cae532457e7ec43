"""A change of one record: is it news, whose record is it, does it show a landing, and what did it edit.

A change at or below the last version of its record is a repeat. The place in a record's stream from which it shows a
command's revision is the command's landing; what stands further on was made in sight of it. (Design, "Sight, collisions,
commands"; "Creation, links, conversion, merges".)
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.sync import dues, edits
from streams.sync.collision import seconds_of
from streams.sync.limits import CLOSED_RECORDS_MAX
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
)
from streams.sync.policy import FieldRule

MICROSOFT_TYPES: Mapping[str, str] = {"lead": "Lead", "contact": "Contact"}


def on_shown(fold: Fold) -> None:
    """A `created` or `updated`, or the row that a result brings."""
    change, state = fold.change, fold.person.system(fold.change.system)
    record = change.record
    assert record is not None
    if state.closure_of(record.id) is not None:
        fold.effect = "closed"
        return
    if _is_first_of_contact(state, record):
        convert(fold, record)  # the contact's first row came before, or instead of, the word of the conversion
        dues.settle_all(fold)  # under the lead's filter still (domain, 1.5, qualify)
    link, creating = state.link, state.creating()
    if link is None and creating is None:
        _link_first_seen(fold, record)
    elif link is None and is_of_our_creation(change.creation, record, creating):
        fold_values(fold, _land_creation(fold, record))
    elif link is None or link.id != record.id:
        open_duplicate(fold, record)
    elif _is_repeat(link, change.version, change.time):
        fold.effect = "repeat"
    else:
        _fold_news(fold, state, link)


def _is_first_of_contact(state: SystemState, record: Record) -> bool:
    """Whether a contact shows where the person was known to have, or was about to get, a lead."""
    if record.type != "contact":
        return False
    return state.link.type == "lead" if state.link is not None else state.creating() is not None


def _fold_news(fold: Fold, state: SystemState, link: Link) -> None:
    change = fold.change
    is_old_write = change.system == MARKETO and change.revision is not None and 0 < change.revision <= link.revision
    _note_shown(fold, link)
    if link.unread and (change.scope == "row" or change.kind == "created" or fold.person.conversion is not None):
        fold_first_row(fold, state, link)
        return
    link.unread = False
    landed = landed_by(fold, state)
    if is_old_write and landed is None:
        for name, value in (change.fields or {}).items():
            edits.fold_late_repeat(fold, name, value)
    else:
        fold_values(fold, landed)


def _is_repeat(link: Link, version: int | None, time: str | None) -> bool:
    if version is None:
        return False
    if version <= link.version:
        return True
    if link.viewed_at is not None:
        shown, viewed = seconds_of(time), seconds_of(link.viewed_at)
        if shown is not None and viewed is not None and shown < viewed:
            link.version = version  # older than the view that stands for the record's `created`
            return True
        link.viewed_at = None
    return False


def _note_shown(fold: Fold, link: Link) -> None:
    change = fold.change
    link.version = max(link.version, change.version or 0)
    if change.creation is not None:
        link.creation = change.creation
    if change.system == DYNAMICS and change.syncable is not None:
        fold.person.syncable = change.syncable


def is_of_our_creation(creation: int | None, record: Record, flight: Flight | None) -> bool:
    """Whether the record is the one that the create in flight asked for."""
    if flight is None:
        return False
    if flight.record is not None:
        return record.id == flight.record.id
    return creation is None or creation == flight.creation


def landed_by(fold: Fold, state: SystemState) -> Flight | None:
    """The command in flight, when this change shows that it has landed; the revision seen is noted."""
    change, flight, link = fold.change, state.flight, state.link
    assert link is not None
    shown, may_be_blind = change.revision, link.blind or link.revision == 0
    if shown is not None:
        link.revision, link.blind = max(link.revision, shown), False
    if flight is None or flight.operation not in ("create", "update"):
        return None
    if shown is None:
        landed = may_be_blind and _reports_without_revision(fold, flight)
        link.blind = link.blind or landed
    else:
        landed = shown >= flight.revision
    if not landed:
        return None
    state.flight = None
    link.revision = max(link.revision, flight.revision)
    return flight


def _reports_without_revision(fold: Fold, flight: Flight) -> bool:
    """Streams without our fields: the first change that reports the values in flight counts as the landing.

    Weaker than a revision. Who shows our fields also says who made a change; such a change is no landing without them.
    """
    change = fold.change
    if change.who is not None:
        return False
    shown = change.fields or {}
    stated = [name for name in flight.fields if name in shown]
    if not flight.fields:
        return True
    return bool(stated) and all(shown[name] == flight.fields[name].value for name in stated)


def fold_values(fold: Fold, landed: Flight | None) -> None:
    """Fold what a linked record shows: first the landing, if this is one, then each value."""
    change, system = fold.change, fold.change.system
    if landed is not None:
        edits.land(fold, system, landed)
    known, moving = fold.person.at_rest.get, fold.person.moving
    unknown = edits.UNKNOWN
    for name, value in (change.fields or {}).items():
        if known(name, unknown) != value or name in moving:  # the rest, most of a row, is as it was
            _fold_value(fold, system, name, value, landed)


def _fold_value(fold: Fold, system: System, name: str, value: Value, landed: Flight | None) -> None:
    if landed is not None:
        sent = landed.fields.get(name)
        if sent is not None and (sent.value == value or edits.is_our_own(fold)):
            if sent.value != value:
                edits.fold_own_value(fold, system, name, value, sent)
            return
        if sent is None and landed.operation == "create":
            if value is not None:
                edits.fold_edit(fold, system, name, edits.new_edit(fold, system, value, weak=True))
            return
    edits.fold_edit(fold, system, name, edits.new_edit(fold, system, value))


def _land_creation(fold: Fold, record: Record) -> Flight | None:
    """The record that we created is there: it is linked, and what the create carried has landed."""
    change, state = fold.change, fold.person.system(fold.change.system)
    flight = state.creating()
    assert flight is not None
    state.flight = None
    state.creations = max(state.creations, flight.creation)
    state.link = Link(record.type, record.id, creation=flight.creation)
    _note_shown(fold, state.link)
    state.link.revision, state.link.blind = max(change.revision or 0, flight.revision), change.revision is None
    if change.system == DYNAMICS:
        _become(fold, record)
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
            fold.person.moving[rule.name] = MovingField(None, FieldSide(None), FieldSide(value, edit))


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
    if marketo.link is None and not marketo.closed and marketo.flight is None:
        marketo.wish = Wish(fold.change.change_id)


def _link_first_seen(fold: Fold, record: Record) -> None:
    """A record that nobody announced: a new person's first, or one more of a person who has none in this system."""
    change, person = fold.change, fold.person
    state = person.system(change.system)
    state.link = Link(record.type, record.id, creation=change.creation or 0)
    _note_shown(fold, state.link)
    state.link.revision = change.revision or 0
    note_linked(fold, record)
    if person.linked_pair():
        fold.log("linked", f"{change.system}/{record.id}", record=record)
        _fold_differences(fold, change.system)
    elif person.marketo.flight is None and person.dynamics.flight is None and not person.moving:
        person.at_rest.update(change.fields or {})  # the only record of its person: what it holds is what is known
    else:
        fold_values(fold, None)


def fold_first_row(fold: Fold, state: SystemState, link: Link) -> None:
    """The first row of a record that was linked, or converted, before anything of it was seen."""
    link.unread = False
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
    other = MARKETO if system == DYNAMICS else DYNAMICS
    for name, value in (fold.change.fields or {}).items():
        known = edits.held_value(fold, other, name)
        rule = fold.policy.fields.get(name)
        if rule is None or known == value or (known is edits.UNKNOWN and value is None):
            continue
        if known is edits.UNKNOWN or known is None or rule.direction != "both":
            edits.fold_edit(fold, system, name, edits.new_edit(fold, system, value))
            continue
        field = edits.moving_field(fold, name)
        theirs, ours = field.side(other), field.side(system)
        if theirs.edit is None:
            theirs.edit = edits.new_edit(fold, other, field.base)
        edits.hold(field, system, value)
        ours.edit = None if value is None else edits.new_edit(fold, system, value)
        ours.in_sight = theirs.in_sight = False


def _fold_first_contact_row(fold: Fold, conversion: Conversion) -> None:
    """A contact's first row: what the lead held is no edit, and what the void command carried has landed with it."""
    for name, value in (fold.change.fields or {}).items():
        held = edits.held_value(fold, DYNAMICS, name)
        if held is edits.UNKNOWN or held == value:
            edits.fold_edit(fold, DYNAMICS, name, edits.new_edit(fold, DYNAMICS, value))
            continue
        field, sent = edits.moving_field(fold, name), conversion.void.get(name)
        if sent is not None and sent.value == value:
            edits.land_field(fold, DYNAMICS, name, sent, created=conversion.created)
        elif value in field.held_since:
            edits.hold(field, DYNAMICS, value)
        else:
            edits.fold_edit(fold, DYNAMICS, name, edits.new_edit(fold, DYNAMICS, value))


def convert(fold: Fold, contact: Record) -> None:
    """The lead was qualified: the link moves to the contact, and what was in flight to the lead is void."""
    person, change = fold.person, fold.change
    state = person.dynamics
    flight, link = state.flight, state.link
    lead_id = _lead_of(state, change.record or contact)
    void = {} if flight is None else flight.fields
    if flight is not None and flight.operation == "create":
        state.creations = max(state.creations, flight.creation)
        fold.log("created", f"{DYNAMICS}/{lead_id}", record=Record(DYNAMICS, "lead", lead_id), operation="create")
    state.flight = state.qualify = None
    state.closed = with_closed(state, lead_id, "converted")
    state.link = Link("contact", contact.id, creation=link.creation if link is not None else 0, unread=True)
    person.conversion = Conversion(void, flight is not None and flight.operation == "create")
    _become(fold, contact)
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
