"""Lifecycle events: deletion, merge, conversion, linking and letting go. They take effect where they stand in the log.

Marketo's `gone` waits for the feed, which says in order what happened: a landing before the deletion, or none. Whether a
deleted Marketo person is made again depends on one question: did somebody edit the record in Dynamics, and is that edit
not delivered? (Design, "Deletion", "Creation, links, conversion, merges"; domain, table 1.6.)
"""

from __future__ import annotations

from schemas.vocabulary import DYNAMICS, MARKETO, RecordKind, System
from streams.sync import edits, landings, linking
from streams.sync.collision import settle
from streams.sync.messages import PersonChange, Record
from streams.sync.outcome import Fold
from streams.sync.person import Closure, FieldSide, Link, MovingField, SystemState, Wish, other_system


def on_deleted(fold: Fold) -> None:
    """A record is no more. In Dynamics the Marketo person stays, and is told; in Marketo, Dynamics is untouched."""
    change, record = fold.change, _record(fold)
    state = fold.person.system(change.system)
    if linking.is_first_of_contact(fold, state, record):
        linking.convert(fold, record)
    if state.closure_of(record.id) is not None:
        fold.effect = "closed"
    elif state.link is not None and state.link.id == record.id:
        close(fold, change.system, "deleted")
    elif _is_unseen_creation(fold, state, record):
        end_creation(fold, change.system, record.id)
    else:
        linking.end_stray(fold, state, record)


def close(fold: Fold, system: System, closure: Closure) -> None:
    """Let go of the linked record, which is deleted."""
    state = fold.person.system(system)
    link, flight = state.link, state.flight
    assert link is not None
    state.closed = linking.with_closed(state, link.id, closure)
    state.link, state.wish, state.qualify, state.delete = None, None, None, False
    fold.log("deleted", f"{system}/{link.id}", system=system, record=Record(system, link.type, link.id))
    _end_what_the_record_left(fold, system)
    other = fold.person.other(system)
    is_there = other.link is not None or other.creating() is not None
    is_ignored = system == DYNAMICS and fold.is_kept_out()
    other.delete = is_there and not is_ignored and other_system(system) in fold.policy.propagate_deletes_to
    if system == DYNAMICS:
        state.flight = None
        _forget_the_dynamics_record(fold)
        linking.tell_marketo(fold, "is_deleted", True)
    elif flight is None or flight.gone or flight.operation == "delete":
        after_deletion_in_marketo(fold)


def _end_what_the_record_left(fold: Fold, system: System) -> None:
    """The person's record in this system is no more: what stood in the way of writing to it is over.

    So is the wish for a record in the other system, if there is none, and whatever stood in its way: nothing is left to make it of.
    And nothing is left that could rewrite a value.
    """
    state, other = fold.person.system(system), fold.person.other(system)
    fold.close_error(system)
    edits.forget_what_it_stated(fold, system)
    if state.link is None and other.link is None and other.creating() is None:
        other.wish = None
        fold.close_error(other_system(system))
        for name, field in fold.person.moving.items():
            if field.stopped:
                field.stopped = False
                fold.close_error(f"rewriting/{name}")


def _forget_the_dynamics_record(fold: Fold) -> None:
    """The filter's word and an awaited first row go with the record that they were of, and what the filter held back."""
    if fold.is_kept_out():
        for name, field in fold.person.moving.items():
            rule = fold.policy.fields.get(name)
            if rule is None or rule.computed is None:  # what we know ourselves, Marketo is told
                _leave_what_was_held_back(fold, name, field)
    fold.person.syncable = None
    fold.person.conversion = None


def _leave_what_was_held_back(fold: Fold, name: str, field: MovingField) -> None:
    """Marketo keeps what it holds, or what is on its way there since before the filter's No."""
    flight, edit = fold.person.marketo.flight, field.dynamics.edit
    sent = None if flight is None else flight.fields.get(name)
    if edit is None or edit.is_same(sent):
        return
    if sent is not None and sent.made_in == DYNAMICS:
        field.dynamics = FieldSide(sent.value, sent)
    else:
        field.base = field.marketo.held if sent is None else sent.value
        field.dynamics = FieldSide(field.base)
    field.marketo.in_sight = False


def _is_unseen_creation(fold: Fold, state: SystemState, record: Record) -> bool:
    """Whether we made the record, and nothing of it was seen: its create is in flight, or was answered as refused all the same."""
    if state.link is not None:
        return False
    if state.flight is None and state.wish is not None:
        return (fold.change.creation or 0) > state.creations
    return landings.is_of_our_creation(fold.change.creation, record, state.creating())


def _use_up_its_number(fold: Fold, state: SystemState) -> None:
    """That of the create in flight, else that which the change tells."""
    state.use_up(fold.change.creation if state.flight is None else state.flight.creation)


def end_creation(fold: Fold, system: System, record_id: str) -> None:
    """Created and deleted before anything of it was seen: the create is answered, and that is all."""
    state = fold.person.system(system)
    _use_up_its_number(fold, state)
    linking.end_wish(fold, system)
    state.flight = state.qualify = None
    state.delete = False
    state.closed = linking.with_closed(state, record_id, "deleted")
    fold.log("deleted", f"{system}/{record_id}", system=system, record=Record(system, _kind(system), record_id))
    if system == MARKETO:
        _want_again_if_still_due(fold)


def _kind(system: System) -> RecordKind:
    return "person" if system == MARKETO else "lead"


def after_deletion_in_marketo(fold: Fold) -> None:
    """The command that was in flight to a deleted Marketo person is answered: it never landed.

    A new person is made if it carried, or something still due is, an edit that somebody made in Dynamics.
    """
    state = fold.person.marketo
    flight, state.flight = state.flight, None
    is_carried = flight is not None and any(edit.by_person_in(DYNAMICS) for edit in flight.fields.values())
    if is_carried and not _is_nothing_left(fold):
        state.wish = Wish(fold.change.change_id)
        return
    _want_again_if_still_due(fold)


def _is_nothing_left(fold: Fold) -> bool:
    """Whether there is no record in Dynamics either, and none on its way, to make a Marketo person of."""
    return fold.person.dynamics.link is None and fold.person.dynamics.creating() is None


def _want_again_if_still_due(fold: Fold) -> None:
    if _is_nothing_left(fold):
        return
    outbound = fold.policy.outbound["person"]
    for name, field in fold.person.moving.items():
        rule = fold.policy.fields.get(name)
        if rule is None or name not in outbound:
            continue
        edit = settle(field, rule, fold.person.record_type, fold.policy).edit
        if edit is not None and edit.by_person_in(DYNAMICS) and field.marketo.held != edit.value:
            fold.person.marketo.wish = Wish(fold.change.change_id)
            return


def on_merged(fold: Fold) -> None:
    """The record lost a merge: its link closes and what was in flight to it is void; nothing is carried over."""
    change, record = fold.change, _record(fold)
    state = fold.person.system(change.system)
    if linking.is_first_of_contact(fold, state, record):
        linking.convert(fold, record)
    is_linked = state.link is not None and state.link.id == record.id
    is_creation = _is_unseen_creation(fold, state, record)
    if state.closure_of(record.id) is not None:
        fold.effect = "closed"
        return
    if not (is_linked or is_creation):
        linking.end_stray(fold, state, record)
        return
    if is_creation:
        _use_up_its_number(fold, state)
    state.flight = state.link = state.wish = state.qualify = None
    state.delete = False
    state.closed = linking.with_closed(state, record.id, "merged")
    if change.system == DYNAMICS:
        _forget_the_dynamics_record(fold)
    fold.log("merged", f"{change.system}/{record.id}", record=record)
    if change.winner is not None and change.winner_person_key == change.person_key:
        state.link = Link(change.winner.type, change.winner.id, unread=True)
    _end_what_the_record_left(fold, change.system)


def on_converted(fold: Fold) -> None:
    """The lead was qualified into a contact."""
    change, record = fold.change, _record(fold)
    state = fold.person.dynamics
    contact = change.contact
    assert contact is not None
    if state.closure_of(record.id) is not None:
        fold.effect = "closed"
    elif state.closure_of(contact.id) is not None or (state.link is not None and state.link.type == "contact"):
        state.closed = linking.with_closed(state, record.id, "converted")  # the contact's own row told first
        fold.effect = "closed"
    elif (state.link is not None and state.link.id == record.id) or (
        state.link is None and landings.is_of_our_creation(change.creation, record, state.creating())
    ):
        linking.convert(fold, contact)
    elif state.link is None and state.flight is None:
        state.link = Link("lead", record.id)
        landings.note_shown(fold, state.link)
        linking.end_wish(fold, DYNAMICS)
        linking.convert(fold, contact)
        linking.want_marketo_if_never_had(fold)
    else:
        fold.effect = "no_effect"


def on_linked(fold: Fold) -> None:
    """A record is said to be this person's, before or without a row of it.

    An applier's word of a record that it is about to create, or has created, carries its revision: it is for intake, so that
    whatever the stream shows finds its person, and never links by itself: the create may yet be refused.
    """
    change, record = fold.change, _record(fold)
    state = fold.person.system(change.system)
    if state.closure_of(record.id) is not None:
        fold.effect = "closed"
    elif change.revision is not None or change.creation:
        fold.effect = "no_effect"
    elif state.link is not None and state.link.id == record.id:
        _read_linked(fold, state.link)
    elif state.link is not None or (state.creating() is not None and fold.policy.dedupe is None):
        linking.open_duplicate(fold, record)
    else:
        link_twin(fold, record)


def _read_linked(fold: Fold, link: Link) -> None:
    """The record is linked already, from the other stream perhaps, and now its row comes."""
    if link.unread and fold.change.fields and fold.person.conversion is None:
        linking.fold_first_row(fold, fold.person.system(fold.change.system), link)
    else:
        fold.effect = "repeat"


def link_twin(fold: Fold, record: Record) -> None:
    """Link a record that was there before us; each record of the pair then gets a command with its key.

    Where the change names the other record too, that one is linked with it: the streams come in any order, and nothing may
    be created meanwhile.
    """
    change = fold.change
    state, other = fold.person.system(change.system), change.other
    linking.close_duplicate(fold, record)
    state.flight = None
    linking.end_wish(fold, change.system)
    state.link = Link(record.type, record.id, revision=change.revision or 0, unread=True)
    if other is not None and other.system != record.system:
        there = fold.person.other(change.system)
        if there.link is None and there.creating() is None and there.closure_of(other.id) is None:
            there.link = Link(other.type, other.id, unread=True)
            linking.end_wish(fold, other.system)
            linking.note_linked(fold, other)
    linking.note_linked(fold, record)
    fold.log("linked", f"{change.system}/{record.id}", record=record)
    if change.fields:
        linking.fold_first_row(fold, state, state.link)


def on_unlinked(fold: Fold) -> None:
    """The record's stream is another person's now: this one lets go of it and of what was in flight to it."""
    change, record = fold.change, _record(fold)
    state = fold.person.system(change.system)
    creating = state.creating()
    if state.link is not None and _is_of_the_stream(state, state.link, change):
        state.link = None
    elif not (
        state.link is None and creating is not None and creating.record is not None and creating.record.id == record.id
    ):
        if not linking.close_duplicate(fold, record):
            fold.effect = "no_effect"
        return
    else:
        _use_up_its_number(fold, state)
    state.flight = state.wish = state.qualify = None
    state.delete = False
    _end_what_the_record_left(fold, change.system)
    if change.system == DYNAMICS:
        _forget_the_dynamics_record(fold)
        fold.person.record_type = None
    else:
        linking.want_marketo_if_taken(fold)
    fold.log("unlinked", f"{change.system}/{record.id}", record=record)


def _is_of_the_stream(state: SystemState, link: Link, change: PersonChange) -> bool:
    """Whether the linked record is the one of the stream, or the contact that it became, as far as anybody has said."""
    record, contact = change.record, change.contact
    assert record is not None
    if link.id == record.id or (contact is not None and link.id == contact.id):
        return True
    converted = [record_id for record_id, closure in state.closed if closure == "converted"]
    return link.type == "contact" and (converted[-1] == record.id if converted else state.closure_of(record.id) is None)


def _record(fold: Fold) -> Record:
    assert fold.change.record is not None
    return fold.change.record
