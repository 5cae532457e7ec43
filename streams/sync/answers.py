"""What a system answered to a command. An answer never is a landing; a row that it brings is folded like any row.

`created` and `superseded` end nothing: the stream will show the landing. `refused` and `conflict` end the command in flight.
`gone` from Dynamics is a deletion (or waits for the conversion or merge that closed the record); from Marketo it waits for
the feed, which may still show that the command landed first. (Design, "Sight, collisions, commands"; "Deletion".)
"""

from __future__ import annotations

from schemas.vocabulary import DYNAMICS, MARKETO
from streams.sync import commands, edits, lifecycle, records
from streams.sync.messages import Record
from streams.sync.outcome import Fold
from streams.sync.person import Flight, SyncError, SystemState, Wish

FINAL_CODES = frozenset({"owner_unknown"})
"""Refusals of a Sync Person that fail it for good: nothing is created, and nothing waits (domain, scenario 32)."""


def on_answered(fold: Fold) -> None:
    """Fold a result."""
    state = fold.person.system(fold.change.system)
    flight = state.flight
    is_of_it = flight is not None and flight.command_id == fold.change.command_id
    if flight is not None and is_of_it:
        _to_the_command_in_flight(fold, state, flight)
    if fold.change.fields is not None and fold.change.record is not None and fold.change.answer != "linked":
        records.on_shown(fold, contradicts=is_of_it and fold.change.answer == "conflict")


def _to_the_command_in_flight(fold: Fold, state: SystemState, flight: Flight) -> None:
    answer = fold.change.answer
    if answer == "refused":
        _refused(fold, state, flight)
    elif answer == "conflict":
        state.flight = None
    elif answer == "gone":
        _gone(fold, state, flight)
    elif answer == "linked" and fold.change.record is not None:
        _twin_found(fold, fold.change.record)


def _twin_found(fold: Fold, twin: Record) -> None:
    """Somebody with the same e-mail address is there. A record in Dynamics stays whose it is, and its person gets the one in Marketo."""
    change, heir = fold.change, fold.change.twin_person_key
    if heir is None or heir == change.person_key:
        lifecycle.link_twin(fold, twin)
        return
    state = fold.person.system(change.system)
    state.flight = state.wish = None
    link = fold.person.other(change.system).link
    if link is not None:  # else it was given away already
        link.heir = heir


def _refused(fold: Fold, state: SystemState, flight: Flight) -> None:
    """The system would not have the record: its edits stay pending until something else is to be said, perhaps already."""
    change = fold.change
    state.flight = None
    lane = state.qualify
    field = commands.canonical_name(fold, change.system, change.field)
    sent = None if field is None else flight.fields.get(field)
    error = SyncError(
        change.change_id,
        change.code or "refused",
        change.message or "",
        flight.operation,
        field,
        None if sent is None else sent.value,
        refused=True,
    )
    if flight.operation == "create":
        state.qualify = None
        state.delete = False
        other = fold.person.other(change.system)
        if error.code in FINAL_CODES:
            fold.log_failure(change.system, error)
            return
        if other.link is None and other.creating() is None:  # what it was to be made of is no more
            fold.open_error(change.system, error)
            fold.close_error(change.system)
            return
        state.wish = Wish(flight.causes[0], flight.lane, "contact" if lane else "lead", flight.owner)
    elif flight.operation == "qualify":
        state.qualify = flight.lane
    elif flight.operation == "delete":
        state.delete = state.link is not None
    elif change.system == MARKETO and state.link is None:
        lifecycle.after_deletion_in_marketo(fold)
        return
    fold.open_error(change.system, error)
    if flight.operation in ("create", "update") and commands.has_changed(fold, change.system, flight):
        edits.heed_refusals_no_longer(fold)


def _gone(fold: Fold, state: SystemState, flight: Flight) -> None:
    change = fold.change
    creates = flight.operation == "create"
    if not creates and flight.record is not None and state.link is not None and state.link.id != flight.record.id:
        # Its record had closed, and another one of the person's showed meanwhile: what is due is that one's.
        state.flight = None
    elif change.gone == "closed" or (change.system == MARKETO and (creates or state.link is not None)):
        flight.gone = change.gone  # the feed says what became of it
    elif creates and flight.record is not None:
        lifecycle.end_creation(fold, DYNAMICS, flight.record.id)
    elif change.system == MARKETO:
        lifecycle.after_deletion_in_marketo(fold)
    elif state.link is not None:
        lifecycle.close(fold, DYNAMICS, "deleted")
