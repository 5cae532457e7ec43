"""Landings: the place in a record's stream from which it shows a command's revision, and what its values mean there.

What stands further on in that stream was made in sight of everything the command carried. (Design, "Sight, collisions,
commands".)
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.vocabulary import DYNAMICS, MARKETO, System
from streams.sync import edits
from streams.sync.collision import seconds_of
from streams.sync.messages import Record, Value
from streams.sync.outcome import Fold
from streams.sync.person import (
    Edit,
    Flight,
    Link,
    SystemState,
)


def is_of_our_creation(creation: int | None, record: Record, flight: Flight | None) -> bool:
    """Whether the record is the one that the create in flight asked for."""
    if flight is None:
        return False
    if flight.record is not None:
        return record.id == flight.record.id
    return creation is None or creation == flight.creation


def is_of_an_earlier_create(revision: int | None, flight: Flight) -> bool:
    """Whether the record was made by a create before the one in flight, which was answered as refused all the same."""
    return revision is not None and 0 < revision < flight.revision


def is_repeat(link: Link, version: int | None, time: str | None) -> bool:
    """Whether a change is not newer than the last one folded, or than the view that stands for what came before."""
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


def note_shown(fold: Fold, link: Link) -> None:
    """Keep the version, the key's number and the filter's word that a change shows. What bears a number of ours was created."""
    change = fold.change
    version = change.version or 0
    if version > link.version:
        link.version = version
    if change.creation is not None:
        link.creation = change.creation
        fold.person.system(change.system).use_up(change.creation)
    if change.system == DYNAMICS and change.syncable is not None:
        fold.person.syncable = change.syncable


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
    if fold.person.unstated:
        edits.note_stated(fold)
    if landed is not None:
        unchanged = _left_unchanged(fold, landed)
        edits.land(fold, system, landed)
        for name, value in unchanged.items():
            edits.fold_unchanged(fold, system, name, value, landed.fields[name])
    known, moving = fold.person.at_rest.get, fold.person.moving
    unknown = edits.UNKNOWN
    for name, value in (change.fields or {}).items():
        if known(name, unknown) != value or name in moving:  # the rest, most of a row, is as it was
            _fold_value(fold, system, name, value, landed)


def fold_earlier_create(fold: Fold, flight: Flight) -> None:
    """Fold what a record shows that an earlier create made. The one in flight, which finds it there, is an update of it now."""
    state = fold.person.system(fold.change.system)
    assert state.link is not None
    state.link.revision = fold.change.revision or 0
    state.flight, flight.operation, flight.record = flight, "update", fold.change.record
    fold_what_was_refused(fold, flight.fields)


def fold_what_was_refused(fold: Fold, sent: Mapping[str, Edit]) -> None:
    """Fold what a record holds that we made, though the answer was that it was refused; people may have edited since.

    What our create wrote, nobody entered: the record only holds it, and it is written over by what is known by now. Where it
    is what was `sent` once more, that has landed.
    """
    system, moving, at_rest = fold.change.system, fold.person.moving, fold.person.at_rest
    link, ours, shown = fold.person.system(system).link, edits.is_our_own(fold), all_held(fold)
    assert link is not None
    edits.note_stated(fold)
    written = fold.policy.outbound[link.type]
    for name in {**sent, **shown}:
        edit, value = sent.get(name), shown.get(name)
        is_known = name in written and (name in moving or at_rest.get(name) is not None)
        if edit is not None and edit.value == value:
            edits.land_field(fold, system, name, edit, created=True)
        elif name not in shown or (ours and is_known):
            edits.only_hold(fold, system, name, value)
        else:
            edits.fold_edit(fold, system, name, edits.new_edit(fold, system, value, weak=ours))


def all_held(fold: Fold) -> Mapping[str, Value]:
    """What the record holds: Marketo's `created` states no empty field, and a person whom another one stood for may hold less."""
    change, stated = fold.change, fold.change.fields or {}
    if change.system == DYNAMICS or change.kind != "created":
        return stated
    received = fold.policy.received[DYNAMICS]  # of these it is the source, and clears nothing by saying nothing
    return {**{r.name: None for r in fold.policy.inbound["person"].values() if r.name not in received}, **stated}


def _left_unchanged(fold: Fold, landed: Flight) -> dict[str, Value]:
    """Fields whose value our write to Marketo did not change, though it sent another: blocked there, or rewritten on save.

    Marketo's feed lists everything that a write changes, and lists nothing of these. Nor does it list a value that was there
    already, which it may have been where nobody has told what Marketo holds: the policy may have had no such field until now.
    """
    change = fold.change
    is_the_write = change.system == MARKETO and change.revision == landed.revision and edits.is_our_own(fold)
    if not is_the_write or change.kind != "updated" or change.scope != "partial":
        return {}
    listed, held = change.fields or {}, edits.held_value
    untold = {name for name, field in fold.person.moving.items() if field.marketo.untold}
    return {
        name: value  # type: ignore[misc]  # a value, if it is not unknown
        for name, sent in landed.fields.items()
        if name not in listed and name not in untold
        if (value := held(fold, MARKETO, name)) not in (edits.UNKNOWN, sent.value)
    }


def _fold_value(fold: Fold, system: System, name: str, value: Value, landed: Flight | None) -> None:
    if landed is not None:
        sent = landed.fields.get(name)
        if sent is not None and (sent.value == value or edits.is_our_own(fold)):
            if sent.value != value:
                edits.fold_own_value(fold, system, name, value, sent)
            return
        if sent is None and landed.operation == "create":
            # An empty field is news only where nobody has told of it: from then on it is known what the record holds.
            if value is not None or edits.held_value(fold, system, name) is edits.UNKNOWN:
                edits.fold_edit(fold, system, name, edits.new_edit(fold, system, value, weak=True))
            return
    edits.fold_edit(fold, system, name, edits.new_edit(fold, system, value))
