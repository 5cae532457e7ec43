"""The sync errors that are open on a person: towards which system, and on which of our fields."""

from __future__ import annotations

from msgspec import Struct

from schemas.vocabulary import DYNAMICS, MARKETO, Operation, RecordKind, System
from streams.sync.messages import Value
from streams.sync.person import PersonState, SyncError
from streams.sync.policy import Policy


class OpenError(Struct, frozen=True, kw_only=True):
    """An open sync error. `to`: the system that should receive; `since`: the change that opened it."""

    person_key: str
    slot: str
    to: System
    operation: Operation
    code: str
    field: str | None
    value: Value
    message: str
    refused: bool
    since: str


def open_errors(key: str, state: PersonState) -> list[OpenError]:
    """The person's open errors, in the order of their slots."""
    return [
        OpenError(
            person_key=key,
            slot=slot,
            to=receiver_of(slot, error, state),
            operation=error.operation,
            code=error.code,
            field=error.field,
            value=error.value,
            message=error.message,
            refused=error.refused,
            since=error.cause,
        )
        for slot, error in sorted(state.errors.items())
    ]


def receiver_of(slot: str, error: SyncError, state: PersonState) -> System:
    """The system an error is about; a rewriting is about the one that rewrote last."""
    if slot.startswith("rewriting/"):
        field = state.moving.get(error.field or "")
        rewrote = field is not None and field.marketo.edit is not None and field.marketo.edit.change_id == error.cause
        return MARKETO if rewrote else DYNAMICS
    return MARKETO if slot.endswith(MARKETO) else DYNAMICS


def faulty_fields(state: PersonState, policy: Policy) -> dict[str, SyncError]:
    """Canonical name of each field that an open error names -> the error. Systems name their own columns."""
    faulty = {}
    for slot, error in state.errors.items():
        if error.field is None:
            continue
        system = receiver_of(slot, error, state)
        faulty[error.field if slot.startswith("rewriting/") else _canonical(error.field, system, state, policy)] = error
    return faulty


def _canonical(column: str, system: System, state: PersonState, policy: Policy) -> str:
    link = state.system(system).link
    kind: RecordKind = link.type if link is not None else "person" if system == MARKETO else "lead"
    return next((rule.name for rule in policy.fields.values() if rule.column(kind) == column), column)
