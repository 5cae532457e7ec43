"""One lead or contact: read, written, made, deleted, by id or key.

A write that carries our revision is a command's write, and the witness is told so; every other one is a user's edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.vocabulary import DYNAMICS, RecordType
from streams.demo.record import HeldRecord, blank_as_none
from streams.simulators.dynamics.answers import ApiError, Reply, bad_payload, exists_already, not_found, read_only
from streams.simulators.dynamics.call import Call, Segment
from streams.simulators.dynamics.expanding import expand, needed
from streams.simulators.dynamics.finding import check_version, place_of
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.privileges import need
from streams.simulators.dynamics.rows import context_of, etag_of, row_of, selected
from streams.simulators.dynamics.schema import Table
from streams.simulators.dynamics.writes import KEY, Entered, check_rules, check_same_email, entered, settle_status
from streams.sync.messages import ApplyCommand, Record, Value


def get(instance: DynamicsInstance, table: Table, segment: Segment, call: Call) -> Reply:
    """`GET leads(<id>)`: the row, or 304 where `If-None-Match` names its version."""
    need(instance.privileges, "Read", table.logical_name)
    held = place_of(instance, table, segment).needed(table)
    may_be_unchanged = table.checks_versions and call.prefer.annotations is None and "$expand" not in call.query
    if may_be_unchanged and call.header("if-none-match") == etag_of(held):
        return Reply(304)
    return _row_reply(instance, table, held, call, 200, reads=True)


def get_property(instance: DynamicsInstance, table: Table, segment: Segment, name: str, call: Call) -> Reply:
    """`GET leads(<id>)/jobtitle`: one value; 204 where it is null."""
    need(instance.privileges, "Read", table.logical_name)
    held = place_of(instance, table, segment).needed(table)
    column = table.column_of(name)
    if column is None:
        raise ApiError(404, "0x8006088a", f"Resource not found for the segment '{name}'.")
    value = row_of(instance, table, held, [column], None)[column.property_name]
    if value is None:
        return Reply(204)
    context = f"{call.base}$metadata#{table.entity_set}({held.id})/{name}"
    return Reply(200, {"@odata.context": context, "value": value}, read=[held])


def patch(instance: DynamicsInstance, table: Table, segment: Segment, call: Call, who: str) -> Reply:
    """`PATCH leads(<id>)`: an update, or an upsert; `If-Match` and `If-None-Match: *` leave one of the two."""
    place = place_of(instance, table, segment)
    body = {**place.key, **call.body()}
    if place.held is None:
        if call.header("if-match") is not None:
            raise not_found(table.logical_name, place.record_id or "")
        return _create(instance, table, body, place.record_id or instance.new_id(), call, who)
    if call.header("if-none-match") == "*":
        raise exists_already()
    check_version(table, place.held, call)
    return _update(instance, table, place.held, body, call, who)


def put_property(
    instance: DynamicsInstance, table: Table, segment: Segment, name: str, call: Call, value: Any, who: str
) -> Reply:
    """`PUT leads(<id>)/jobtitle` with a value, and `DELETE` of it, which is null."""
    held = place_of(instance, table, segment).needed(table)
    check_version(table, held, call)
    column = table.columns.get(name)
    is_bound = column is not None and column.is_lookup
    return _update(instance, table, held, {f"{name}@odata.bind" if is_bound else name: value}, call, who)


def post(instance: DynamicsInstance, table: Table, call: Call, who: str) -> Reply:
    """`POST leads`: a new record, under an id of its own or the one that the body names."""
    body = call.body()
    chosen = body.get(table.primary_id)
    record_id = instance.new_id() if chosen is None else str(chosen).lower()
    if record_id in instance.records:
        raise exists_already()
    return _create(instance, table, body, record_id, call, who)


def delete(instance: DynamicsInstance, table: Table, segment: Segment, call: Call, who: str) -> Reply:
    """`DELETE leads(<id>)`."""
    need(instance.privileges, "Delete", table.logical_name)
    held = place_of(instance, table, segment).needed(table)
    check_version(table, held, call)
    instance.delete(held.id, who, instance.clock())
    return Reply(204)


def _create(
    instance: DynamicsInstance, table: Table, body: Mapping[str, Any], record_id: str, call: Call, who: str
) -> Reply:
    need(instance.privileges, "Create", table.logical_name)
    found = entered(instance, table, body, creates=True)
    settle_status(table, found, None)
    _check(instance, table, found, None, call)
    kind: RecordType = "lead" if table.logical_name == "lead" else "contact"
    now = instance.clock()
    command = _command(instance, Record(DYNAMICS, kind, record_id), found, None)
    if command is None:
        held = instance.create_under(kind, record_id, who, found.values, now)
        instance.edit_ours(held, who, found.ours, is_touched=True, now=now)
    else:
        held = instance.create_by(command, now)
    return _written(instance, table, held, found, call, created=True)


def _update(
    instance: DynamicsInstance, table: Table, held: HeldRecord, body: Mapping[str, Any], call: Call, who: str
) -> Reply:
    need(instance.privileges, "Write", table.logical_name)
    if held.state != "open":
        raise read_only()
    found = entered(instance, table, body, creates=False)
    if found.record_id not in (None, held.id):
        raise bad_payload(table.entity_set, f"The id in the body is not '{held.id}'.")
    settle_status(table, found, held)
    _check(instance, table, found, held.id, call)
    now = instance.clock()
    command = _command(instance, held.record, found, held)
    if command is None:
        changed = instance.edit(held.id, who, found.values, now)
        instance.edit_ours(held, who, found.ours, is_touched=bool(changed), now=now)
    else:
        instance.write(held, command, now)
    return _written(instance, table, held, found, call, created=False)


def _check(instance: DynamicsInstance, table: Table, found: Entered, record_id: str | None, call: Call) -> None:
    check_rules(instance, table, found, record_id)
    if (call.header("mscrm.suppressduplicatedetection") or "true").lower() == "false":
        check_same_email(instance, table, found, record_id)


def _command(
    instance: DynamicsInstance, record: Record, found: Entered, held: HeldRecord | None
) -> ApplyCommand | None:
    """The command that a write with our revision carries out; None for a write by hand."""
    revision = found.ours.get("revision")
    key = found.ours.get("key") or (None if held is None else held.key)
    match = None if key is None else KEY.fullmatch(key)
    if revision is None or revision < 0 or match is None:
        return None
    fields: dict[str, Value] = dict(found.values)
    owner = fields.pop("ownerid", None) if held is None else None
    return ApplyCommand(
        command_id=f"rest/{record.id}/{revision}",
        person_key=match[1],
        system=DYNAMICS,
        operation="create" if held is None else "update",
        revision=revision,
        record=record,
        fields=fields,
        key=key,
        creation=int(match[2]),
        owner=owner if isinstance(owner, str) else None,
    )


def _written(
    instance: DynamicsInstance, table: Table, held: HeldRecord, found: Entered, call: Call, created: bool
) -> Reply:
    """The answer to a write: nothing but the address, or the row where it was asked for."""
    if call.prefer.representation:
        reply = _row_reply(instance, table, held, call, 201 if created else 200, reads=False)
        reply.headers["Preference-Applied"] = "return=representation"
    else:
        reply = Reply(204)
    address = f"{call.base}{table.entity_set}({held.id})"
    reply.headers["OData-EntityId"] = address
    reply.headers["Location"] = address
    if any(blank_as_none(value) != held.values.get(name) for name, value in found.values.items()):
        reply.notes.append("rewritten_on_save")
    return reply


def _row_reply(
    instance: DynamicsInstance, table: Table, held: HeldRecord, call: Call, status: int, reads: bool
) -> Reply:
    columns = selected(table, call)
    row = row_of(instance, table, held, columns, call.prefer.annotations)
    if "$expand" in call.query:
        expand(instance, table, row, row_of(instance, table, held, needed(table, call), None), call)
    body = {"@odata.context": context_of(call, table, "/$entity"), **row}
    is_shown = held.state == "open" and (instance.reads_show or not reads)
    reply = Reply(status, body, {"ETag": etag_of(held)}, shown=[held] if is_shown else [], read=[held] if reads else [])
    if call.prefer.annotations is not None:
        reply.headers["Preference-Applied"] = f'odata.include-annotations="{call.prefer.annotations}"'
    return reply
