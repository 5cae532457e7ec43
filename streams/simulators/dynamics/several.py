"""Many records in one call: CreateMultiple, UpdateMultiple and UpsertMultiple, all of them or none; BulkDelete, whatever it finds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from streams.simulators.dynamics import records
from streams.simulators.dynamics.answers import Reply, bad_payload, not_simulated
from streams.simulators.dynamics.call import Call, Segment, segments
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.privileges import need
from streams.simulators.dynamics.schema import Table

Action = Callable[[DynamicsInstance, Table, Call, str], Reply]


def create_multiple(instance: DynamicsInstance, table: Table, call: Call, who: str) -> Reply:
    """`POST leads/Microsoft.Dynamics.CRM.CreateMultiple {"Targets": [...]}` -> the ids."""
    calls = [_plain(call, target) for target in _targets(table, call)]
    replies = _all_or_none(instance, [partial(records.post, instance, table, inner, who) for inner in calls])
    ids = [reply.headers["OData-EntityId"].rpartition("(")[2].rstrip(")") for reply in replies]
    context = f"{call.base}$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse"
    return Reply(200, {"@odata.context": context, "Ids": ids}, notes=_notes(replies))


def update_multiple(instance: DynamicsInstance, table: Table, call: Call, who: str) -> Reply:
    """`POST leads/Microsoft.Dynamics.CRM.UpdateMultiple`: each target names its id."""
    return _patch_all(instance, table, call, who, {"if-match": "*"})


def upsert_multiple(instance: DynamicsInstance, table: Table, call: Call, who: str) -> Reply:
    """`POST leads/Microsoft.Dynamics.CRM.UpsertMultiple`: each target names its id, or an address by key in `@odata.id`."""
    return _patch_all(instance, table, call, who, {})


def bulk_delete(instance: DynamicsInstance, call: Call, who: str) -> Reply:
    """`POST BulkDelete`: a job; here it is done at once. Understood are queries for ids, `In` or `Equal`."""
    for query in call.body().get("QuerySet") or []:
        table = instance.schema.tables.get(str(query.get("EntityName")))
        if table is None or table.logical_name not in ("lead", "contact"):
            raise not_simulated("BulkDelete of this table")
        need(instance.privileges, "Delete", table.logical_name)
        for record_id in _asked_ids(table, query):
            held = instance.records.get(record_id)
            if held is not None and held.record.type == table.logical_name:
                instance.delete(record_id, who, instance.clock())
    context = f"{call.base}$metadata#Microsoft.Dynamics.CRM.BulkDeleteResponse"
    return Reply(200, {"@odata.context": context, "JobId": instance.new_id()})


def _targets(table: Table, call: Call) -> list[dict[str, Any]]:
    targets = call.body().get("Targets")
    if not isinstance(targets, list) or not all(isinstance(target, dict) for target in targets):
        raise bad_payload(table.entity_set, "The parameter 'Targets' needs a list of objects.")
    return targets


def _all_or_none(instance: DynamicsInstance, steps: Sequence[Callable[[], Reply]]) -> list[Reply]:
    """Each step, after all of them were tried and taken back. Raises ApiError of the first that fails."""
    with instance.tried():
        for step in steps:
            step()
    return [step() for step in steps]


def _plain(call: Call, target: Mapping[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> Call:
    """A call with one target as its body, and none of the outer conditions and preferences."""
    return replace(call, headers=headers, query={}, content=json.dumps(target).encode(), prefer=type(call.prefer)())


def _patch_all(instance: DynamicsInstance, table: Table, call: Call, who: str, headers: Mapping[str, str]) -> Reply:
    steps = [
        partial(records.patch, instance, table, _place(table, target), _plain(call, target, headers), who)
        for target in _targets(table, call)
    ]
    return Reply(204, notes=_notes(_all_or_none(instance, steps)))


def _place(table: Table, target: Mapping[str, Any]) -> Segment:
    if table.primary_id in target:
        return Segment(table.entity_set, id=str(target[table.primary_id]).lower())
    places = segments(str(target.get("@odata.id", "")))
    if len(places) != 1 or not places[0].is_keyed:
        raise bad_payload(table.entity_set, "A target names neither its id nor '@odata.id'.")
    return places[0]


def _asked_ids(table: Table, query: Mapping[str, Any]) -> list[str]:
    conditions = (query.get("Criteria") or {}).get("Conditions") or []
    if len(conditions) != 1 or conditions[0].get("AttributeName") != table.primary_id:
        raise not_simulated("BulkDelete by anything but ids")
    return [str(value.get("Value") if isinstance(value, dict) else value).lower() for value in conditions[0]["Values"]]


def _notes(replies: list[Reply]) -> list[str]:
    return [note for reply in replies for note in reply.notes]


ACTIONS: Mapping[str, Action] = {
    "CreateMultiple": create_multiple,
    "UpdateMultiple": update_multiple,
    "UpsertMultiple": upsert_multiple,
}
