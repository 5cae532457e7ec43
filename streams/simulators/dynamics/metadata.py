"""`EntityDefinitions`: what the tables and their columns are, and how columns and alternate keys are added to them.

Whatever is made is in force at once: publishing changes nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from streams.simulators.dynamics import definitions, making, metadata_changes, relationships
from streams.simulators.dynamics.answers import (
    ApiError,
    Reply,
    bad_query,
    method_not_allowed,
    no_resource,
    not_simulated,
)
from streams.simulators.dynamics.call import Call, Segment
from streams.simulators.dynamics.columns import Column
from streams.simulators.dynamics.filters import Filter
from streams.simulators.dynamics.instance import DynamicsInstance
from streams.simulators.dynamics.schema import Table

Described = dict[str, Any]
CAST = re.compile(r"Microsoft\.Dynamics\.CRM\.(\w*AttributeMetadata)")
_EXPANDED = re.compile(r"(\w+)(?:\(([^)]*)\))?")


def answer(instance: DynamicsInstance, call: Call) -> Reply:
    """Whatever begins with `EntityDefinitions`. Raises ApiError."""
    first, rest = call.path[0], call.path[1:]
    _need(instance, "prvReadEntity")
    if first.name == "RetrieveMetadataChanges":
        return metadata_changes.answer(instance, call)
    if first.name != "EntityDefinitions":
        raise not_simulated(first.name)
    if not first.is_keyed:
        return _tables(instance, call)
    table = _table(instance, first)
    if not rest:
        return _one_table(instance, table, call)
    part = _PARTS.get(rest[0].name)
    if part is None:
        raise no_resource(rest[0].name)
    return part(instance, table, rest, call)


def _tables(instance: DynamicsInstance, call: Call) -> Reply:
    _only(call, "GET")
    found = [
        _table_view(instance, table, call)
        for table in instance.schema
        if _fits(definitions.table_definition(table), call)
    ]
    return Reply(200, {"@odata.context": f"{call.base}$metadata#EntityDefinitions", "value": found})


def _one_table(instance: DynamicsInstance, table: Table, call: Call) -> Reply:
    if call.method == "PUT":
        _need(instance, "prvCreateAttribute")
        body = call.body()
        table.tracks_changes = table.tracks_changes or body.get("ChangeTrackingEnabled") is True
        return Reply(204)
    _only(call, "GET")
    context = f"{call.base}$metadata#EntityDefinitions/$entity"
    return Reply(200, {"@odata.context": context, **_table_view(instance, table, call)})


def _columns(instance: DynamicsInstance, table: Table, path: tuple[Segment, ...], call: Call) -> Reply:
    _need(instance, "prvReadAttribute")
    first = path[0]
    cast = CAST.fullmatch(path[1].name) if len(path) > 1 else None
    if len(path) > 1 and cast is None:
        raise no_resource(path[1].name)
    kind = None if cast is None else cast[1]
    if first.is_keyed:
        return _one_column(instance, table, _column(table, first), kind, path, call)
    if call.method == "POST":
        return _make_column(instance, table, call)
    _only(call, "GET")
    found = [
        _column_view(instance, table, column, kind, call)
        for column in table.columns.values()
        if (kind in (None, definitions.metadata_type(column)))
        and _fits(_described(instance, table, column, kind), call)
    ]
    suffix = "" if kind is None else f"/Microsoft.Dynamics.CRM.{kind}"
    context = f"{call.base}$metadata#EntityDefinitions('{table.logical_name}')/Attributes{suffix}"
    return Reply(200, {"@odata.context": context, "value": found})


def _one_column(
    instance: DynamicsInstance, table: Table, column: Column, kind: str | None, path: tuple[Segment, ...], call: Call
) -> Reply:
    if call.method == "DELETE":
        return _remove_column(instance, table, column)
    if call.method == "PUT":
        _need(instance, "prvCreateAttribute")
        changed = making.column_of(table, call.body(), column.type)
        table.add(replace(changed, creatable=column.creatable, updatable=column.updatable, targets=column.targets))
        return Reply(204)
    _only(call, "GET")
    if kind not in (None, definitions.metadata_type(column)):
        raise no_resource(path[1].name)
    context = f"{call.base}$metadata#EntityDefinitions('{table.logical_name}')/Attributes/$entity"
    if len(path) > 2:
        if path[2].name != "OptionSet":
            raise no_resource(path[2].name)
        return Reply(200, {"@odata.context": context, **definitions.option_set(table, column)})
    return Reply(200, {"@odata.context": context, **_column_view(instance, table, column, kind, call)})


def _make_column(instance: DynamicsInstance, table: Table, call: Call) -> Reply:
    _need(instance, "prvCreateAttribute")
    column = making.column_of(table, call.body())
    if column.name in table.columns:
        message = f"An attribute with the specified name {column.name} already exists for entity with MetadataId = {table.metadata_id}."
        raise ApiError(400, "0x80047013", message)
    table.add(column)
    address = f"{call.address}({definitions.column_id(table, column)})"
    return Reply(204, headers={"OData-EntityId": address, "Location": address})


def _remove_column(instance: DynamicsInstance, table: Table, column: Column) -> Reply:
    """The column is gone with all that stood in it. Only custom columns can be removed."""
    _need(instance, "prvCreateAttribute")
    if not column.is_custom:
        raise ApiError(400, "0x80047007", f"The attribute {column.name} is part of the system and cannot be deleted.")
    table.remove(column.name)
    instance.empty(table, column.name)
    return Reply(204)


def _keys(instance: DynamicsInstance, table: Table, path: tuple[Segment, ...], call: Call) -> Reply:
    if path[0].is_keyed:
        return _one_key(instance, table, path[0], call)
    if call.method == "POST":
        _need(instance, "prvCreateAttribute")
        name, columns = making.key_of(table, call.body())
        table.keys[name] = columns
        instance.index_all(table)
        found = definitions.key_definition(table, name, columns)
        address = f"{call.address}({found['MetadataId']})"
        return Reply(204, headers={"OData-EntityId": address, "Location": address})
    _only(call, "GET")
    value = [definitions.key_definition(table, *each) for each in table.keys.items()]
    return Reply(
        200, {"@odata.context": f"{call.base}$metadata#EntityDefinitions('{table.logical_name}')/Keys", "value": value}
    )


def _one_key(instance: DynamicsInstance, table: Table, segment: Segment, call: Call) -> Reply:
    for name, columns in list(table.keys.items()):
        found = definitions.key_definition(table, name, columns)
        if segment.id == found["MetadataId"] or (segment.key or {}).get("LogicalName") == found["LogicalName"]:
            if call.method == "DELETE":
                del table.keys[name]
                instance.index_all(table)
                return Reply(204)
            _only(call, "GET")
            return Reply(200, found)
    raise no_resource("Keys")


def _relationships(instance: DynamicsInstance, table: Table, path: tuple[Segment, ...], call: Call) -> Reply:
    _only(call, "GET")
    found = {
        "ManyToOneRelationships": relationships.many_to_one(table),
        "OneToManyRelationships": relationships.one_to_many(instance.schema, table),
    }.get(path[0].name, [])
    value = [_selected(each, call.query.get("$select"), "RelationshipMetadata") for each in found if _fits(each, call)]
    return Reply(200, {"@odata.context": f"{call.base}$metadata#{path[0].name}", "value": value})


_PARTS: Mapping[str, Callable[[DynamicsInstance, Table, tuple[Segment, ...], Call], Reply]] = {
    "Attributes": _columns,
    "Keys": _keys,
    "ManyToOneRelationships": _relationships,
    "OneToManyRelationships": _relationships,
    "ManyToManyRelationships": _relationships,
}


def _table(instance: DynamicsInstance, segment: Segment) -> Table:
    name = (segment.key or {}).get("LogicalName")
    for table in instance.schema:
        if name == table.logical_name or segment.id == table.metadata_id:
            return table
    raise ApiError(404, "0x80060888", f"Could not find an entity with name '{name}' or id '{segment.id}'.")


def _column(table: Table, segment: Segment) -> Column:
    name = (segment.key or {}).get("LogicalName")
    for column in table.columns.values():
        if name == column.name or (segment.id is not None and segment.id == definitions.column_id(table, column)):
            return column
    raise ApiError(404, "0x80060888", f"Could not find an attribute '{name or segment.id}' of '{table.logical_name}'.")


def _table_view(instance: DynamicsInstance, table: Table, call: Call) -> Described:
    whole = definitions.table_definition(table)
    found = _selected(whole, call.query.get("$select"), "EntityMetadata")
    for name, select in _expansions(call.query.get("$expand", "")):
        if name == "Attributes":
            found[name] = [
                {"@odata.type": f"#Microsoft.Dynamics.CRM.{definitions.metadata_type(column)}"}
                | _selected(definitions.general_definition(table, column), select, "AttributeMetadata")
                for column in table.columns.values()
            ]
        elif name == "Keys":
            found[name] = [definitions.key_definition(table, *each) for each in table.keys.items()]
        else:
            raise not_simulated(f"$expand={name}")
    return found | {"MetadataId": whole["MetadataId"]}


def _column_view(instance: DynamicsInstance, table: Table, column: Column, kind: str | None, call: Call) -> Described:
    """As much as was asked for. What only its type has needs a cast to it."""
    whole = _described(instance, table, column, kind)
    found = _selected(whole, call.query.get("$select"), kind or "AttributeMetadata")
    if kind is None:
        found = {"@odata.type": f"#Microsoft.Dynamics.CRM.{definitions.metadata_type(column)}", **found}
    sets = definitions.expandable(table, column) if kind is not None else {}
    for name, select in _expansions(call.query.get("$expand", "")):
        if name not in ("OptionSet", "GlobalOptionSet") or kind is None:
            raise bad_query(
                f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{kind or 'AttributeMetadata'}'."
            )
        chosen = sets.get(name)
        found[name] = (
            None
            if chosen is None
            else {**_selected(chosen, select, "OptionSetMetadata"), "MetadataId": chosen["MetadataId"]}
        )
    return found | {"MetadataId": whole["MetadataId"]}


def _described(instance: DynamicsInstance, table: Table, column: Column, kind: str | None) -> Described:
    general = definitions.general_definition(table, column)
    return general if kind is None else {**general, **definitions.special_definition(instance, table, column)}


def _selected(whole: Mapping[str, Any], select: str | None, type_name: str) -> Described:
    if not select:
        return dict(whole)
    names = [name.strip() for name in select.split(",")]
    missing = [name for name in names if name not in whole and name not in _EVERYWHERE]
    if missing:
        raise bad_query(f"Could not find a property named '{missing[0]}' on type 'Microsoft.Dynamics.CRM.{type_name}'.")
    return {name: whole.get(name) for name in names}


_EVERYWHERE = frozenset({"Options", "TrueOption", "FalseOption"})


def _expansions(text: str) -> list[tuple[str, str | None]]:
    """`OptionSet($select=Options)` -> (OptionSet, Options)."""
    found = []
    for match in _EXPANDED.finditer(text):
        inside = match[2] or ""
        found.append((match[1], inside.removeprefix("$select=") or None))
    return found


def _fits(whole: Mapping[str, Any], call: Call) -> bool:
    text = call.query.get("$filter")
    if not text:
        return True
    flat = {
        name: value["Value"] if isinstance(value, Mapping) and "Value" in value else value
        for name, value in whole.items()
    }

    def name_of(name: str) -> str:
        bare = name.partition("/")[0]
        if bare not in flat:
            raise bad_query(f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.MetadataBase'.")
        return bare

    return Filter(text, name_of).test(flat)


def _need(instance: DynamicsInstance, privilege: str) -> None:
    if privilege not in instance.privileges:
        raise ApiError(403, "0x80040220", f"Principal user is missing {privilege} privilege.")


def _only(call: Call, method: str) -> None:
    if call.method != method:
        raise method_not_allowed(call.method, "EntityDefinitions")
