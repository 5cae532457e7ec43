"""Writing people: Sync Leads. Each record is taken or passed over by itself; results come in input order.

A record that carries our revision field is a command's write; any other is a user's edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.vocabulary import MARKETO
from streams.demo.record import HeldRecord, blank_as_none
from streams.demo.saving import DUPLICATE_CODE
from streams.simulators.marketo.call import Answer, Call
from streams.simulators.marketo.coercion import coerced
from streams.simulators.marketo.envelope import Json, Refused, Skipped
from streams.simulators.marketo.fields import KEY_FIELD, REVISION_FIELD
from streams.simulators.marketo.listing import is_key
from streams.sync.messages import ApplyCommand, Value

ACTIONS = ("createOrUpdate", "createOnly", "updateOnly", "createDuplicate")
DEFAULT_PARTITION = "Default"
METHOD = "syncLead"


@dataclass(frozen=True)
class Saving:
    """What a call asks for all of its records."""

    call: Call
    action: str
    lookup_field: str


async def sync_leads(call: Call) -> Answer:
    """POST /rest/v1/leads.json"""
    body, records = await call.inputs(call.limits.records)
    saving = Saving(call, body.get("action") or "createOrUpdate", body.get("lookupField") or "email")
    _check(saving, body)
    with call.instance.origin(call.origin(METHOD)):
        return {"result": [_result(saving, record, place) for place, record in enumerate(records)]}


def _check(saving: Saving, body: Mapping[str, Any]) -> None:
    if saving.action not in ACTIONS:
        raise Refused("1003", f"Invalid data: action '{saving.action}'")
    partition = body.get("partitionName")
    if partition not in (None, DEFAULT_PARTITION):
        raise Refused("1008", f"Access denied to partition '{partition}'")
    field = saving.call.instance.catalog.get(saving.lookup_field)
    if field is None:
        raise Refused("1006", f"Field '{saving.lookup_field}' not found")
    if not field.searchable or (field.name == "id" and saving.action != "updateOnly"):
        raise Refused("1011", f"Field '{saving.lookup_field}' not supported")


def _result(saving: Saving, record: Any, place: int) -> Json:
    try:
        if not isinstance(record, dict):
            raise Skipped("1003", "Invalid data: a record is an object")
        return _saved(saving, record, place)
    except Skipped as skipped:
        return skipped.as_result()


def _saved(saving: Saving, record: Mapping[str, Any], place: int) -> Json:
    values = _values(saving, record)
    held = _match(saving, record, values)
    saving.call.stumble(values.values())
    _refuse(saving, values)
    command = _command(saving, held, values, place)
    if held is None:
        held = _create(saving, command, values)
        return {"id": int(held.id), "status": "created"}
    _update(saving, held, command, values)
    return {"id": int(held.id), "status": "updated"}


def _values(saving: Saving, record: Mapping[str, Any]) -> dict[str, Value]:
    """The record's values as their fields take them. Raises Skipped."""
    values: dict[str, Value] = {}
    for name, value in record.items():
        field = saving.call.instance.catalog.get(name)
        if field is None:
            raise Skipped("1006", f"Field '{name}' not found")
        if name == "id":
            if saving.action != "updateOnly":
                raise Skipped("1003", "Invalid data: field 'id' goes with the action updateOnly only")
            continue
        if field.read_only:
            raise Skipped("1003", f"Invalid data: field '{name}' is read-only")
        values[name] = coerced(field, value)
    key = values.get(KEY_FIELD)
    if key is not None and not is_key(str(key)):
        # A real instance would store any text; here a record has to stand for somebody.
        raise Skipped("1003", f"Invalid data: field '{KEY_FIELD}' holds a person key, # and a number")
    return values


def _match(saving: Saving, record: Mapping[str, Any], values: Mapping[str, Value]) -> HeldRecord | None:
    """The person that the record is of; None where it is a new one. Raises Skipped."""
    if saving.action == "createDuplicate":
        return None
    name = saving.lookup_field
    sought = record.get("id") if name == "id" else values.get(name)
    if sought is None or sought == "":
        raise Skipped("1002", f"Missing value for the required parameter '{name}'")
    found = saving.call.instance.lookup.find(name, [str(sought)])
    if found and saving.action == "createOnly":
        raise Skipped("1005", "Lead already exists")
    if len(found) > 1:
        raise Skipped("1007", "Multiple leads match the lookup criteria")
    if not found and saving.action == "updateOnly":
        raise Skipped("1004", "Lead not found")
    return found[0] if found else None


def _refuse(saving: Saving, values: Mapping[str, Value]) -> None:
    """What the instance's own habits will not have."""
    refusal = saving.call.instance.saving.refusal("person", values)
    if refusal is None:
        return
    if refusal.code == DUPLICATE_CODE:
        saving.call.faults.note("duplicate_rule")
    raise Skipped("1003", f"Invalid data for field '{refusal.field}': {refusal.message}")


def _command(saving: Saving, held: HeldRecord | None, values: Mapping[str, Value], place: int) -> ApplyCommand | None:
    """A write with our revision, as the command that it carries out."""
    revision = values.get(REVISION_FIELD)
    key = values.get(KEY_FIELD) or (None if held is None else held.key)
    if not isinstance(revision, int) or revision < 0 or not isinstance(key, str) or not is_key(key):
        return None
    person_key, _, creation = key.rpartition("#")
    return ApplyCommand(
        command_id=f"rest/{saving.call.request_id}/{place}",
        person_key=person_key,
        system=MARKETO,
        operation="create" if held is None else "update",
        revision=revision,
        record=None if held is None else held.record,
        key=key,
        creation=int(creation),
        fields=_without_ours(values),
    )


def _create(saving: Saving, command: ApplyCommand | None, values: Mapping[str, Value]) -> HeldRecord:
    instance, now = saving.call.instance, saving.call.now
    if command is not None:
        held = instance.create_by(command, now)
    else:
        held = instance.create(saving.call.user, _without_ours(values), now)
        instance.enter(held, saving.call.user, {name: values[name] for name in values if _is_ours(name)}, now)
    _note_rewritten(saving, held, values)
    return held


def _update(saving: Saving, held: HeldRecord, command: ApplyCommand | None, values: Mapping[str, Value]) -> None:
    instance, now = saving.call.instance, saving.call.now
    if command is not None:
        instance.list_landing(held, command, instance.write(held, command, now))
    else:
        instance.enter(held, saving.call.user, values, now)
    _note_rewritten(saving, held, values)


def _note_rewritten(saving: Saving, held: HeldRecord, values: Mapping[str, Value]) -> None:
    if any(blank_as_none(value) != held.values.get(name) for name, value in _without_ours(values).items()):
        saving.call.faults.note("rewritten_on_save")


def _without_ours(values: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if not _is_ours(name)}


def _is_ours(name: str) -> bool:
    return name in (KEY_FIELD, REVISION_FIELD)
