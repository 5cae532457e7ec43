"""What an applier does with a command for Marketo (design, "Sight, collisions, commands", "Sync Person to Microsoft" to "Deletion").

Marketo's writes need no condition: its feed lists what they cover. Nor can they have one: between reading the revision and
writing, another write may come in, so that a late repeat slips through now and then (`late`), and the core must see it for what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from schemas.identity import key_of
from streams.demo.marketo import SimulatedMarketo
from streams.demo.record import HeldRecord
from streams.sync.messages import ApplyCommand, ApplyResult


def apply(marketo: SimulatedMarketo, command: ApplyCommand, now: float, late: bool = False) -> ApplyResult | None:
    """Carry out a command. None where there is nothing to answer: it lands. `late`: the revision was read long ago."""
    return _BY_OPERATION[command.operation](marketo, command, now, late)


def _create(marketo: SimulatedMarketo, command: ApplyCommand, now: float, late: bool) -> ApplyResult | None:
    """Found by its key, or known to be deleted, or made: the key makes it one however often it is repeated."""
    key = command.key or ""
    if key in marketo.keys_gone:
        return _gone(marketo, command, marketo.keys_gone[key])
    held = marketo.records.get(marketo.by_key.get(key, ""))
    if held is None:
        return _twin(marketo, command, now) or _make(marketo, command, now)
    marketo.announce(command, held, now)  # the applier that made it may have died before it said so
    return _write(marketo, command, held, now, late)


def _twin(marketo: SimulatedMarketo, command: ApplyCommand, now: float) -> ApplyResult | None:
    """A person with the same e-mail who stands for nobody else, where the policy asks for one. A walk: such worlds are small."""
    email = (command.fields or {}).get("email")
    if command.dedupe is None or email is None:
        return None
    alike = (held for held in marketo.records.values() if held.values.get("email") == email)
    held = next((each for each in alike if each.keyed_person() in (None, command.person_key)), None)
    if held is None:
        return None
    if held.key is None:  # claimed at once, or the next one who looks would take it too
        _put(marketo, msgspec.structs.replace(command, fields={}, key=key_of(command.person_key, 0)), held, now)
    return marketo.answer(command, "linked", held, row=marketo.row(held))


def _make(marketo: SimulatedMarketo, command: ApplyCommand, now: float) -> ApplyResult:
    refusal = marketo.saving.refusal("person", command.fields or {})
    if refusal is not None:
        return marketo.answer(command, "refused", **refusal._asdict())
    held = marketo.create_by(command, now)
    marketo.announce(command, held, now)
    return marketo.answer(command, "created", held)


def _update(marketo: SimulatedMarketo, command: ApplyCommand, now: float, late: bool) -> ApplyResult | None:
    record_id = "" if command.record is None else command.record.id
    held = marketo.records.get(record_id)
    if held is None:
        return _gone(marketo, command, record_id)
    return _write(marketo, command, held, now, late)


def _write(
    marketo: SimulatedMarketo, command: ApplyCommand, held: HeldRecord, now: float, late: bool
) -> ApplyResult | None:
    if held.revision is not None and held.revision >= command.revision and not late:
        return marketo.answer(command, "superseded", held)
    refusal = marketo.saving.refusal("person", command.fields or {})
    if refusal is not None:
        return marketo.answer(command, "refused", held, **refusal._asdict())
    _put(marketo, command, held, now)
    return None


def _put(marketo: SimulatedMarketo, command: ApplyCommand, held: HeldRecord, now: float) -> None:
    """Written and listed; as a whole where the record is somebody else's from here on, who knows nothing of it."""
    before = held.person_key
    changed = marketo.write(held, command, now)
    marketo.list_landing(held, command, changed, as_a_whole=held.person_key != before)


def _delete(marketo: SimulatedMarketo, command: ApplyCommand, now: float, late: bool) -> ApplyResult | None:
    """Only under the delete policy."""
    record_id = "" if command.record is None else command.record.id
    if record_id not in marketo.records:
        return _gone(marketo, command, record_id)
    marketo.delete(record_id, "leadsync", now)
    return None


def _gone(marketo: SimulatedMarketo, command: ApplyCommand, record_id: str) -> ApplyResult:
    return marketo.answer(command, "gone", gone=marketo.gone.get(record_id, "deleted"))


_BY_OPERATION: Mapping[str, Callable[[SimulatedMarketo, ApplyCommand, float, bool], ApplyResult | None]] = {
    "create": _create,
    "update": _update,
    "delete": _delete,
}
