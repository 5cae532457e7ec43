"""The command that carries what is due to a system, or the sync error that stands in its way.

One command at a time is in flight to a system; the next one carries every field then due. Before it goes out it is checked
against the receiver's rules; one invalid field holds back the command as a whole. (Design, "Sight, collisions, commands",
"Creation, links, conversion, merges", "Validation".)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from schemas.identity import command_id_of, dynamics_id_of, key_of
from schemas.limits import CAUSES_MAX, TEXT_CHARACTERS_MAX
from schemas.vocabulary import DYNAMICS, MARKETO, Lane, Operation, RecordKind, System
from streams.sync.dues import AT_REST, NOTHING_DUE, due_by_system, in_sync, rest, settled_edit
from streams.sync.messages import ApplyCommand, Record, Value
from streams.sync.outcome import Fold
from streams.sync.person import Edit, Flight, Link, SyncError, SystemState, Wish
from streams.sync.validation import Violation, first_violation, violation_of
from streams.sync.values import Unconvertible, to_system


def settle_all(fold: Fold) -> None:
    """Record collisions, emit what has become due, put to rest what is."""
    person = fold.person
    due = due_by_system(fold) if person.moving else NOTHING_DUE  # which puts collisions on record
    if fold.is_kept_out():
        return  # nothing goes out in either direction until it says Yes
    if person.marketo.flight is None:
        _send(fold, MARKETO, person.marketo, due[MARKETO])
    if person.dynamics.flight is None:
        _send(fold, DYNAMICS, person.dynamics, due[DYNAMICS])
    if person.moving:
        rest(fold)


def _send(fold: Fold, system: System, state: SystemState, due: dict[str, Edit]) -> None:
    """Emit this system's next command, or open or close the sync error that stands in its way."""
    link, errors = state.link, fold.person.errors
    if link is not None and link.revision and not (due or errors or state.delete or state.qualify or link.heir):
        return  # as after most changes: nothing is due here, and nothing stands in its way
    error = errors.get(system)
    is_leaving = link is not None and state.delete  # nobody needs to take an update then
    if error is not None and error.refused and not (is_leaving and error.operation != "delete"):
        return
    if link is None:
        if state.wish is not None:
            _create(fold, system, state.wish)
        else:
            fold.close_error(system)
        return
    if system == DYNAMICS and fold.person.conversion is not None:
        return  # a contact's first row says what it holds, and whether the filter lets it through
    if link.heir is not None:
        _emit(fold, system, "update", {}, Record(system, link.type, link.id), writes={})
    elif state.delete:
        state.delete = False
        _emit(fold, system, "delete", {}, Record(system, link.type, link.id))
    elif state.qualify is not None and link.type == "lead":
        lane, state.qualify = state.qualify, None
        _emit(fold, system, "qualify", {}, Record(system, link.type, link.id), lane=lane)
    else:
        _update(fold, system, link, {} if link.unread else due)  # what a record holds is read before it is written


def _update(fold: Fold, system: System, link: Link, due: dict[str, Edit]) -> None:
    if not due:
        fold.close_error(system)
        if link.revision != 0 or not fold.person.linked_pair():
            return
    columns = fold.policy.outbound[link.type]
    writes, violation = _checked(fold, system, link.type, due, creating=False)
    if violation is not None:
        _hold_back(fold, system, "update", violation)
        return
    expected = None
    if system == DYNAMICS:
        expected = {columns[name]: _held_in_system(fold, name) for name in due}
    _emit(fold, system, "update", due, Record(system, link.type, link.id), writes=writes, expected=expected)


def _held_in_system(fold: Fold, name: str) -> Value:
    """What the Dynamics record is expected to hold, in Dynamics' own spelling; as it came where it is of no right type."""
    held = fold.person.moving[name].dynamics.held
    try:
        return to_system(fold.policy.fields[name], DYNAMICS, held)
    except Unconvertible:
        return held


def _checked(
    fold: Fold, system: System, kind: RecordKind, due: Mapping[str, Edit], *, creating: bool
) -> tuple[dict[str, Value], Violation | None]:
    """What is to be written, in the system's own names and spelling, and what its rules have against it.

    A value that came from the receiver is not checked; what was at rest, every record held.
    """
    columns = fold.policy.outbound[kind]
    own = [name for name, edit in due.items() if edit.made_in == system or (edit.made_in is None and not creating)]
    writes, violation = _in_system(fold, system, due, columns, own)
    if violation is not None or not (due or creating):
        return writes, violation
    violation = first_violation(
        fold.policy.rules.get(kind, {}),
        writes,
        system=system,
        creating=creating,
        known_empty=() if creating else _known_empty(fold, system, kind, due),
        unchecked={columns[name] for name in own} if own else (),
    )
    return writes, violation


def _in_system(
    fold: Fold, system: System, due: Mapping[str, Edit], columns: Mapping[str, str], own: Collection[str] = ()
) -> tuple[dict[str, Value], Violation | None]:
    writes: dict[str, Value] = {}
    for name, edit in due.items():
        try:
            writes[columns[name]] = to_system(fold.policy.fields[name], system, edit.value)
        except Unconvertible as error:
            if name not in own:
                return writes, violation_of(error, system, columns[name])
            writes[columns[name]] = edit.value  # the receiver gets back what it held, as it held it
    return writes, None


def _known_empty(fold: Fold, system: System, kind: RecordKind, due: Mapping[str, Edit]) -> list[str]:
    """Required columns that are known to be empty after the write; a field that nobody has stated counts as present."""
    empty = []
    for column, name in fold.policy.required[kind]:
        moving = fold.person.moving.get(name)
        if name in due:
            value = due[name].value
        elif moving is not None:
            value = moving.side(system).held
        else:
            value = fold.person.at_rest.get(name, AT_REST)
        if value is None:
            empty.append(column)
    return empty


def _create(fold: Fold, system: System, wish: Wish) -> None:
    """Emit a create with everything that is known of the person, and defaults for what is empty."""
    source = fold.person.other(system).link
    if source is None or (system == MARKETO and source.unread):
        return  # nothing to make a record of yet; a contact's first row also brings the filter's word
    kind, state = _kind(fold, system), fold.person.system(system)
    carried = _carried_by_create(fold, system)
    writes, violation = _checked(fold, system, kind, carried, creating=True)
    if violation is not None:
        _hold_back(fold, system, "create", violation)
        return
    creation = state.creations + 1
    record = None
    if system == DYNAMICS:
        record = Record(DYNAMICS, "lead", dynamics_id_of(key_of(fold.change.person_key, creation)))
        state.qualify = wish.lane if wish.sync_as == "contact" else None
        _end_collisions_with_the_former(fold, carried)
    state.wish = None
    _emit(
        fold,
        system,
        "create",
        carried,
        record,
        writes=writes,
        creation=creation,
        lane=wish.lane,
        owner=wish.owner,
        cause=wish.cause,
    )


def _end_collisions_with_the_former(fold: Fold, carried: Mapping[str, Edit]) -> None:
    """What collided with a record that is gone was settled by that record's type; a new lead's type does not reopen it."""
    for name, edit in carried.items():
        field = fold.person.moving.get(name)
        if field is not None and edit.made_in is not None:
            field.other(edit.made_in).edit = None


def _carried_by_create(fold: Fold, system: System) -> dict[str, Edit]:
    """What a new record gets. A field without a name for the person's record type is out of sync, and so not in it."""
    names = [name for name in fold.policy.outbound[_kind(fold, system)] if in_sync(fold, name)]
    return {name: edit for name in names if (edit := _for_creation(fold, system, name)) is not None}


def _for_creation(fold: Fold, system: System, name: str) -> Edit | None:
    """What a new record gets in a field: the settled value, else the configured default, else nothing.

    The default counts as an edit of the other system, of the weak kind; it goes there too, once the record is there.
    """
    moving = fold.person.moving.get(name)
    edit = settled_edit(fold, name, moving) if moving else Edit(AT_REST, fold.person.at_rest.get(name))
    if edit.value is not None:
        return edit
    rule = fold.policy.fields[name]
    if rule.default is None:
        return None
    source: System = DYNAMICS if system == MARKETO else MARKETO
    return Edit(fold.change.change_id, rule.default, source, fold.change.time, None, weak=True)


def _emit(
    fold: Fold,
    system: System,
    operation: Operation,
    carried: dict[str, Edit],
    record: Record | None,
    *,
    writes: Mapping[str, Value] | None = None,
    expected: Mapping[str, Value] | None = None,
    creation: int | None = None,
    lane: Lane = "first",
    owner: str | None = None,
    cause: str | None = None,
) -> None:
    """Put a command in flight and among what is to be sent."""
    state, change = fold.person.system(system), fold.change
    # Above what the record shows too: an installation before this one, whose log is lost, may have written there.
    shown = state.link.revision if state.link is not None else 0
    state.revision = (state.revision if state.revision > shown else shown) + 1
    causes = {cause or change.change_id: None, **{edit.change_id: None for edit in carried.values() if edit.change_id}}
    flight = Flight(
        command_id_of(change.person_key, system, state.revision, change.change_id),
        state.revision,
        operation,
        record,
        carried,
        creation or (state.link.creation if state.link is not None else 0),
        lane,
        owner,
        tuple(causes)[:CAUSES_MAX],
    )
    state.flight = flight
    fold.close_error(system)
    fold.commands.append(command_of(fold, system, flight, writes, expected))


def command_of(
    fold: Fold,
    system: System,
    flight: Flight,
    writes: Mapping[str, Value] | None,
    expected: Mapping[str, Value] | None = None,
) -> ApplyCommand:
    """The command as it is sent."""
    writing = flight.operation in ("create", "update")
    creating = flight.operation == "create"
    link = fold.person.system(system).link
    heir = None if link is None else link.heir  # a record that is given away gets the heir's key
    key = key_of(fold.change.person_key, flight.creation) if heir is None else key_of(heir, 0)
    return ApplyCommand(
        command_id=flight.command_id,
        person_key=fold.change.person_key,
        system=system,
        operation=flight.operation,
        revision=flight.revision,
        record=flight.record,
        fields=writes,
        expected=expected,
        key=key if writing else None,
        creation=flight.creation if creating else None,
        owner=flight.owner,
        dedupe=fold.policy.dedupe if creating else None,
        lane=flight.lane,
        causes=flight.causes,
    )


def send_again_first(fold: Fold, system: System, flight: Flight) -> None:
    """Put the create that waits in the background lane on the first one: the same command, id, revision and fields.

    It was checked when it was first sent; only what the policy no longer sends is left out.
    """
    flight.lane = "first"
    columns = fold.policy.outbound[_kind(fold, system)]
    carried = {name: edit for name, edit in flight.fields.items() if name in columns}
    writes, _ = _in_system(fold, system, carried, columns, own=carried)
    fold.commands.append(command_of(fold, system, flight, writes))


def _hold_back(fold: Fold, system: System, operation: Operation, violation: Violation) -> None:
    """Nothing goes out in this direction; the error says why, on the person."""
    message = violation.message[:TEXT_CHARACTERS_MAX]  # it may name twenty options, each as long as the author likes
    field = canonical_name(fold, system, violation.field)
    error = SyncError(fold.change.change_id, violation.code, message, operation, field, violation.value)
    fold.open_error(system, error)


def has_changed(fold: Fold, system: System, flight: Flight) -> bool:
    """Whether something else would be sent now than what was refused."""
    if flight.operation == "create":
        now = _carried_by_create(fold, system)
    else:
        now = due_by_system(fold)[system]
    return {name: edit.value for name, edit in now.items()} != {n: edit.value for n, edit in flight.fields.items()}


def canonical_name(fold: Fold, system: System, column: str | None) -> str | None:
    """A field's canonical name from its system's own, where the policy knows it."""
    if column is None:
        return None
    rule = fold.policy.inbound[_kind(fold, system)].get(column)
    return column if rule is None else rule.name


def _kind(fold: Fold, system: System) -> RecordKind:
    """Of the linked record, or of the one that would be created."""
    link = fold.person.system(system).link
    if link is not None:
        return link.type
    return "person" if system == MARKETO else "lead"
