"""What an applier does with a command for Dynamics (design, "Sight, collisions, commands", "Sync Person to Microsoft" to "Deletion").

Dynamics hides what a write covers, so a write happens only where each commanded column holds what is expected, or the new
value already; the ETag makes reading and writing one (`apply` is one step here). It never writes to a closed record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from schemas.identity import person_key_of
from schemas.vocabulary import DYNAMICS
from streams.demo.dynamics import SimulatedDynamics
from streams.demo.record import HeldRecord, blank_as_none
from streams.demo.saving import OWNER_UNKNOWN_CODE
from streams.sync.messages import ApplyCommand, ApplyResult, Value


def apply(dynamics: SimulatedDynamics, command: ApplyCommand, now: float) -> ApplyResult | None:
    """Carry out a command. None where there is nothing to answer: it lands."""
    return _BY_OPERATION[command.operation](dynamics, command, now)


def announce(dynamics: SimulatedDynamics, command: ApplyCommand, now: float) -> bool:
    """The first half of a create, as an applier leaves it that dies before the write. False where it is no new record."""
    record = command.record
    if command.operation != "create" or record is None or record.id in dynamics.records or record.id in dynamics.gone:
        return False
    if _has_unknown_owner(dynamics, command):
        return False
    dynamics.announce(command, HeldRecord(record, record.id, command.person_key, {}), now)
    return True


def _create(dynamics: SimulatedDynamics, command: ApplyCommand, now: float) -> ApplyResult | None:
    """The id follows from the key, so a repeat finds the record, or finds that it was deleted."""
    record_id = _record_id(command)
    held = dynamics.living(record_id)
    if record_id in dynamics.gone:
        return dynamics.answer(command, "gone", gone=dynamics.gone[record_id])
    if held is not None:
        return _found(dynamics, command, held)
    twin = _twin(dynamics, command)
    if twin is not None:
        dynamics.note_shown(twin)
        row, theirs = dynamics.row(twin), _person_of(dynamics, twin)
        return dynamics.answer(command, "linked", twin, row=row, twin_person_key=theirs)
    if _has_unknown_owner(dynamics, command):
        return _refused_owner(dynamics, command)
    announce(dynamics, command, now)  # only the write tells whether Dynamics takes it
    refused = _refused(dynamics, command)
    if refused is not None:
        return refused
    return dynamics.answer(command, "created", dynamics.create_by(command, now))


def _found(dynamics: SimulatedDynamics, command: ApplyCommand, held: HeldRecord) -> ApplyResult:
    """Made by this command, or by an earlier one of the same number that was given up for lost: then its row says what it holds."""
    if held.revision is not None and held.revision >= command.revision:
        return dynamics.answer(command, "superseded", held)
    return _conflict(dynamics, command, held)


def _update(dynamics: SimulatedDynamics, command: ApplyCommand, now: float) -> ApplyResult | None:
    record_id = _record_id(command)
    held = dynamics.living(record_id)
    if held is None:
        return dynamics.answer(command, "gone", gone=dynamics.gone.get(record_id, "deleted"))
    if held.revision is not None and held.revision >= command.revision:
        return dynamics.answer(command, "superseded", held)
    if not _holds_what_is_expected(held, command):
        return _conflict(dynamics, command, held)
    refused = _refused(dynamics, command)
    if refused is not None:
        return refused
    dynamics.write(held, command, now)
    return None


def _holds_what_is_expected(held: HeldRecord, command: ApplyCommand) -> bool:
    expected = command.expected or {}
    return all(
        blank_as_none(held.values.get(column)) in (blank_as_none(expected.get(column)), blank_as_none(value))
        for column, value in (command.fields or {}).items()
    )


def _qualify(dynamics: SimulatedDynamics, command: ApplyCommand, now: float) -> ApplyResult | None:
    """Writes none of our fields; a lead that is qualified already has been qualified."""
    record_id = _record_id(command)
    contact = dynamics.contact_of(record_id)
    if contact is not None:
        return dynamics.answer(command, "superseded", contact)
    if dynamics.living(record_id) is None:
        return dynamics.answer(command, "gone", gone=dynamics.gone.get(record_id, "deleted"))
    return dynamics.answer(command, "created", dynamics.qualify(record_id, "leadsync", now))


def _delete(dynamics: SimulatedDynamics, command: ApplyCommand, now: float) -> ApplyResult | None:
    """Only under the delete policy."""
    record_id = _record_id(command)
    if dynamics.living(record_id) is None:
        return dynamics.answer(command, "gone", gone=dynamics.gone.get(record_id, "deleted"))
    dynamics.delete(record_id, "leadsync", now)
    return None


def _has_unknown_owner(dynamics: SimulatedDynamics, command: ApplyCommand) -> bool:
    """The applier looks the owner up before it says or does anything."""
    return command.owner is not None and command.owner not in dynamics.saving.owners


def _refused_owner(dynamics: SimulatedDynamics, command: ApplyCommand) -> ApplyResult:
    message = f"There is no user {command.owner}."
    return dynamics.answer(command, "refused", code=OWNER_UNKNOWN_CODE, field="ownerid", message=message)


def _refused(dynamics: SimulatedDynamics, command: ApplyCommand) -> ApplyResult | None:
    kind = "lead" if command.record is None else command.record.type
    refusal = dynamics.saving.refusal(kind, command.fields or {})
    return None if refusal is None else dynamics.answer(command, "refused", **refusal._asdict())


def _conflict(dynamics: SimulatedDynamics, command: ApplyCommand, held: HeldRecord) -> ApplyResult:
    dynamics.note_shown(held)
    return dynamics.answer(command, "conflict", held, row=dynamics.row(held))


def _twin(dynamics: SimulatedDynamics, command: ApplyCommand) -> HeldRecord | None:
    """An open record with the same e-mail, where the policy asks for one: the person's own, else rather one without a key.

    A walk: such worlds are small.
    """
    email = (command.fields or {}).get("emailaddress1")
    if command.dedupe is None or email is None:
        return None
    twins = [each for each in dynamics.records.values() if _is_twin(each, email)]
    ranks = {command.person_key: 0, None: 1}
    return min(twins, key=lambda each: ranks.get(each.keyed_person(), 2), default=None)


def _person_of(dynamics: SimulatedDynamics, twin: HeldRecord) -> str:
    """Whom it stands for: its key says so, or that of the lead that it was; else nobody has linked it to another yet."""
    former = dynamics.records.get(twin.stream, twin)
    return twin.keyed_person() or former.keyed_person() or person_key_of(DYNAMICS, twin.stream)


def _is_twin(held: HeldRecord, email: Value) -> bool:
    return held.state == "open" and held.values.get("emailaddress1") == email


def _record_id(command: ApplyCommand) -> str:
    return "" if command.record is None else command.record.id


_BY_OPERATION: Mapping[str, Callable[[SimulatedDynamics, ApplyCommand, float], ApplyResult | None]] = {
    "create": _create,
    "update": _update,
    "qualify": _qualify,
    "delete": _delete,
}
