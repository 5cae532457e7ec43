"""Where each field of a person stands: at rest, in flight, pending or in error, and what a pending one waits for.

The state tells at rest, in flight and in error; what is pending, and why, follows from the same rule by which commands are
made (`streams/sync/dues.py`): due is what a record holds otherwise than settled. It is asked under the policy in force,
while the worker folds each change under the one stamped on it, so right after `policy apply` a field may show as pending
that becomes due only with the person's next change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from schemas.vocabulary import DYNAMICS, SYSTEMS, System
from streams.operating.open_errors import faulty_fields, receiver_of
from streams.sync.collision import settle
from streams.sync.messages import Value
from streams.sync.person import Edit, MovingField, PersonState, SyncError
from streams.sync.policy import Policy

Standing = Literal["in_error", "in_flight", "pending"]


class FieldStanding(Struct, frozen=True, kw_only=True):
    """A field that is not at rest, towards one system. `why`: of one in error or pending; `change_id`, `who`, `time`: its edit."""

    field: str
    standing: Standing
    to: System | None
    value: Value
    marketo: Value = None
    dynamics: Value = None
    why: str | None = None
    command_id: str | None = None
    revision: int | None = None
    change_id: str | None = None
    who: str | None = None
    time: str | None = None


def field_standings(state: PersonState, policy: Policy) -> list[FieldStanding]:
    """Every field that is not at rest, or whose value at rest an error is about; those in error first."""
    found = list(_all_standings(state, policy, faulty_fields(state, policy)))
    order: Mapping[Standing, int] = {"in_error": 0, "in_flight": 1, "pending": 2}
    return sorted(found, key=lambda each: (order[each.standing], each.field, each.to or ""))


def fields_at_rest(state: PersonState, policy: Policy) -> dict[str, Value]:
    """Canonical name -> the value that both systems hold. A moving field's last agreed value stands in the state as well."""
    elsewhere = state.moving.keys() | faulty_fields(state, policy).keys()
    return {name: value for name, value in sorted(state.at_rest.items()) if name not in elsewhere}


def _all_standings(state: PersonState, policy: Policy, faulty: Mapping[str, SyncError]) -> Iterator[FieldStanding]:
    for name, error in faulty.items():
        if name not in state.moving:
            slot = next(slot for slot, each in state.errors.items() if each is error)
            yield FieldStanding(
                field=name,
                standing="in_error",
                to=receiver_of(slot, error, state),
                value=error.value,
                marketo=state.at_rest.get(name),
                dynamics=state.at_rest.get(name),
                why=_told(error),
                change_id=error.cause,
            )
    for name, field in state.moving.items():
        yield from _of_moving(name, field, state, policy, faulty.get(name))


def _of_moving(
    name: str, field: MovingField, state: PersonState, policy: Policy, error: SyncError | None
) -> Iterator[FieldStanding]:
    edit = _settled(name, field, state, policy)
    count = 0
    for system in SYSTEMS:
        flight = state.system(system).flight
        sent = None if flight is None else flight.fields.get(name)
        if flight is not None and sent is not None:
            count += 1
            yield _standing(
                name, field, "in_flight", system, sent, command_id=flight.command_id, revision=flight.revision
            )
        if _due(name, field, edit, system, state, policy) and not (sent is not None and sent.value == edit.value):
            count += 1
            is_faulty = error is not None and (field.stopped or state.errors.get(system) is error)
            why = _told(error) if is_faulty and error is not None else why_waiting(state, system, policy)
            yield _standing(name, field, "in_error" if is_faulty else "pending", system, edit, why=why)
    if not count:
        why = _told(error) if error is not None else _why_moving(name, field, state, policy)
        yield _standing(name, field, "pending" if error is None else "in_error", None, edit, why=why)


def _standing(
    name: str,
    field: MovingField,
    standing: Standing,
    to: System | None,
    edit: Edit,
    *,
    why: str | None = None,
    command_id: str | None = None,
    revision: int | None = None,
) -> FieldStanding:
    return FieldStanding(
        field=name,
        standing=standing,
        to=to,
        value=edit.value,
        marketo=field.marketo.held,
        dynamics=field.dynamics.held,
        why=why,
        command_id=command_id,
        revision=revision,
        change_id=edit.change_id or None,
        who=edit.who,
        time=edit.time,
    )


def _told(error: SyncError) -> str:
    return f"{error.code}: {error.message}"


def _settled(name: str, field: MovingField, state: PersonState, policy: Policy) -> Edit:
    rule = policy.fields.get(name)
    settled = None if rule is None else settle(field, rule, state.record_type, policy).edit
    return settled or Edit("", field.base)


def _due(name: str, field: MovingField, edit: Edit, system: System, state: PersonState, policy: Policy) -> bool:
    link, rule = state.system(system).link, policy.fields.get(name)
    if link is None or rule is None or name not in policy.outbound[link.type]:
        return False
    if edit.made_in is None and rule.block_updates:
        return False
    held = field.side(system).held
    is_blocked = system in rule.block_updates and held is not None and edit.made_in != system
    return held != edit.value and not is_blocked


def why_waiting(state: PersonState, system: System, policy: Policy) -> str:
    """What keeps a field that is due in a system from going out."""
    if state.syncable is False and policy.filter_column is not None:
        return "the sync filter holds this person back"
    return next(why for applies, why in WAITS if applies(state, system)).format(system=system)


def _why_moving(name: str, field: MovingField, state: PersonState, policy: Policy) -> str:
    if name not in policy.fields:
        return "the policy in force does not sync it"
    if field.marketo.held != field.dynamics.held and state.linked_pair():
        return "the policy in force lets the systems differ here"
    return "a command is in flight; it rests when that has landed"


def _gone(state: PersonState, system: System) -> bool:
    flight = state.system(system).flight
    return flight is not None and bool(flight.gone)


def _unread(state: PersonState, system: System) -> bool:
    link = state.system(system).link
    return system == DYNAMICS and link is not None and link.unread and state.conversion is None


WAITS: tuple[tuple[Callable[[PersonState, System], bool], str], ...] = (
    (_gone, "{system} no longer has the record; its stream has yet to say what became of it"),
    (lambda state, system: state.system(system).flight is not None, "waits for the command in flight to {system}"),
    (lambda state, system: system in state.errors, "an open error holds back everything to {system}"),
    (_unread, "waits for the first row of the {system} record"),
    (lambda _, __: True, "goes out with the person's next change"),
)
"""Whether it applies, and what is said then; the first that applies is told."""
